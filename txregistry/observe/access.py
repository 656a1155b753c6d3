"""The access log: Apache's combined format for people, JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime

import attrs
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from txregistry.flow.rfc3339 import write_time
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


@implementer(IExchangeObserver)
@attrs.define(eq=False)
class JsonAccessLog:
    """Writes one JSON object per exchange, when it has ended.

    :param fields: ``log.fields``, added to every object.
    :param time_name: the name of the timestamp's field.
    """

    _lines: ILines
    _clock: IReactorTime
    _fields: Mapping[str, str]
    _time_name: str = "time"

    def ended(self, exchange: Exchange) -> None:
        """Write the object of an exchange."""
        moment = write_time(self._clock.seconds(), "milliseconds")
        fields = {
            **self._fields,
            self._time_name: moment,
            "level": "info",
            "logger": "txregistry.access",
            **json_fields(exchange),
        }
        self._lines.write(json.dumps(fields) + "\n")


def make_access_log(
    formatter: str, fields: Mapping[str, str], lines: ILines, clock: IReactorTime
) -> IExchangeObserver:
    """Create the access log for a ``log.formatter``.

    :param fields: ``log.fields``; the combined format has no room for them.
    """
    if formatter == "text":
        return AccessLog(lines, clock)
    time_name = "@timestamp" if formatter == "logstash" else "time"
    return JsonAccessLog(lines, clock, fields, time_name)


def json_fields(exchange: Exchange) -> dict[str, object]:
    """Name the parts of an exchange as distribution names the fields of its log.

    ``http.response.duration`` counts seconds.
    """
    line = f"{exchange.method} {exchange.uri} {exchange.protocol}"
    return {
        "message": f"{line} {exchange.status}",
        "request": exchange.request_id,
        "http.request.id": exchange.request_id,
        "http.request.method": exchange.method,
        "http.request.uri": exchange.uri,
        "http.request.protocol": exchange.protocol,
        "http.request.remoteaddr": exchange.peer,
        "http.request.referer": exchange.referer,
        "http.request.useragent": exchange.user_agent,
        "http.response.status": exchange.status,
        "http.response.written": exchange.sent_bytes,
        "http.response.duration": round(exchange.seconds, 6),
        "auth.user.name": "" if exchange.user == "-" else exchange.user,
        "handler": exchange.handler,
        "cache_status": exchange.cache_status,
        "aborted": exchange.aborted,
    }


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
