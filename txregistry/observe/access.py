"""The access log, in the combined format of Apache."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TextIO

import attrs
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from txregistry.interfaces.observe import Exchange, IExchangeObserver


@implementer(IExchangeObserver)
@attrs.define(eq=False)
class AccessLog:
    """Writes a line when an exchange has ended."""

    _stream: TextIO
    _clock: IReactorTime
    _second: int = -1
    _moment: str = ""

    def ended(self, exchange: Exchange) -> None:
        """Write the line."""
        self._stream.write(format_combined(exchange, self._now()))
        self._stream.flush()

    def _now(self) -> str:
        # Formatting the time costs more than the rest: once a second is enough.
        second = int(self._clock.seconds())
        if second != self._second:
            self._second, self._moment = second, format_moment(second)
        return self._moment


def format_moment(seconds: float) -> str:
    """Write a time as access logs do."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%d/%b/%Y:%H:%M:%S +0000")


def format_combined(exchange: Exchange, moment: str) -> str:
    """Write an exchange as one line (pure); what a client sent is escaped."""
    request = f"{exchange.method} {exchange.uri} {exchange.protocol}"
    return (
        f"{exchange.peer} - {exchange.user} [{moment}]"
        f' "{_escape(request)}" {exchange.status} {exchange.sent_bytes}'
        f' "{_escape(exchange.referer)}" "{_escape(exchange.user_agent)}"\n'
    )


def _escape(text: str) -> str:
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return text
    return text.encode("unicode_escape").decode("ascii").replace('"', '\\"')
