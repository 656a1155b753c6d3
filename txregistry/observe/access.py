"""The access log, in Apache's combined format."""

from __future__ import annotations

from datetime import UTC, datetime

import attrs
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from txregistry.interfaces.observe import Exchange, IExchangeObserver
from txregistry.observe.escapes import quoted, word
from txregistry.observe.outlet import ILines


@implementer(IExchangeObserver)
@attrs.define(eq=False)
class AccessLog:
    """Writes one line per exchange, when it has ended."""

    _lines: ILines
    _clock: IReactorTime

    def ended(self, exchange: Exchange) -> None:
        """Write the line of an exchange."""
        moment = format_moment(self._clock.seconds())
        self._lines.write(format_combined(exchange, moment))


def format_moment(seconds: float) -> str:
    """Format seconds since the epoch as access logs do, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")


def format_combined(exchange: Exchange, moment: str) -> str:
    """Format an exchange as one line; all untrusted fields are escaped."""
    request = f"{exchange.method} {exchange.uri} {exchange.protocol}"
    return (
        f"{word(exchange.peer)} - {word(exchange.user)} [{moment}]"
        f" {quoted(request)} {exchange.status} {exchange.sent_bytes}"
        f" {quoted(exchange.referer)} {quoted(exchange.user_agent)}\n"
    )
