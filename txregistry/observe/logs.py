"""Log events as lines: text for people, JSON for machines.

JSON has every field of an event under its own name. Text has the message, the fields
of ``log.fields``, the request id and the name of background work (Note [Whose event] in
:mod:`txregistry.flow.context`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

import attrs
from twisted.logger import (
    FilteringLogObserver,
    ILogObserver,
    InvalidLogLevelError,
    LogEvent,
    LogLevel,
    LogLevelFilterPredicate,
    formatEvent,
)
from zope.interface import implementer

from txregistry.flow.context import request_id, work_name
from txregistry.flow.rfc3339 import write_time
from txregistry.observe.audit import NAMESPACE as AUDIT_NAMESPACE
from txregistry.observe.escapes import indented, line
from txregistry.observe.outlet import ILines

_HIDDEN = frozenset(("format", "isError", "text", "why"))


@implementer(ILogObserver)
@attrs.define(eq=False)
class TextObserver:
    """Writes one line per event, followed by the indented traceback if it has one.

    :param fields: ``log.fields``, added to every event.
    """

    _lines: ILines
    _fields: Mapping[str, str]

    def __call__(self, event: LogEvent) -> None:
        """Write an event."""
        namespace = event.get("log_namespace", "")
        parts = [
            _moment(event["log_time"]),
            event["log_level"].name,
            f"[{namespace or '-'}]",
            _message(event),
        ]
        parts += [
            f"{name}={value}" for name, value in _context(self._fields, namespace)
        ]
        traceback = _traceback(event)
        below = indented(traceback) if traceback else ""
        self._lines.write(line(" ".join(parts).replace("\n", " ")) + "\n" + below)


@implementer(ILogObserver)
@attrs.define(eq=False)
class JsonObserver:
    """Writes one JSON object per event; no field replaces a standard one.

    :param fields: ``log.fields``, added to every event.
    :param time_name: the name of the timestamp's field.
    """

    _lines: ILines
    _fields: Mapping[str, str]
    _time_name: str = "time"

    def __call__(self, event: LogEvent) -> None:
        """Write an event."""
        fields: dict[str, object] = {
            self._time_name: _moment(event["log_time"]),
            "level": event["log_level"].name,
            "logger": event.get("log_namespace", ""),
            "message": _message(event),
            **dict(_context(self._fields, event.get("log_namespace", ""))),
        }
        # Events of the legacy API have a ``time`` and a ``message`` of their own.
        reserved = _HIDDEN | fields.keys()
        for name, value in event.items():
            if not name.startswith("log_") and name not in reserved:
                is_json = isinstance(value, int | float | str)
                fields[name] = value if is_json else str(value)
        if traceback := _traceback(event):
            fields["traceback"] = traceback
        self._lines.write(json.dumps(fields) + "\n")


@implementer(ILogObserver)
@attrs.define(eq=False)
class AuditSplitter:
    """Gives the audit trail to one observer, and all other events to another."""

    _others: ILogObserver
    _audit: ILogObserver

    def __call__(self, event: LogEvent) -> None:
        """Pass an event on."""
        is_audit = event.get("log_namespace") == AUDIT_NAMESPACE
        (self._audit if is_audit else self._others)(event)


def make_observer(
    formatter: str,
    level: str,
    fields: Mapping[str, str],
    lines: ILines,
    audit: ILines | None = None,
) -> ILogObserver:
    """Create the log observer that the section ``log`` of the configuration describes.

    :param formatter: ``text``, ``json`` or ``logstash``.
    :param level: the least level that is written; an unknown one means ``info``.
        It does not concern the audit trail.
    :param audit: where the audit trail goes, instead of ``lines``.
    """
    observer = format_lines(formatter, fields, lines)
    if audit is not None:
        observer = AuditSplitter(observer, format_lines(formatter, fields, audit))
    least = LogLevelFilterPredicate(_level(level))
    if level == "info":
        # Twisted's own messages at this level are for debugging.
        for namespace in ("twisted", "log_legacy"):
            least.setLogLevelForNamespace(namespace, _level("warn"))
    least.setLogLevelForNamespace(AUDIT_NAMESPACE, _level("info"))
    return FilteringLogObserver(observer, [least])


@implementer(ILogObserver)
@attrs.define(eq=False)
class RenewableObserver:
    """Passes events to an observer that can be replaced."""

    _observer: ILogObserver

    def __call__(self, event: LogEvent) -> None:
        """Pass an event on."""
        self._observer(event)

    def renew(self, observer: ILogObserver) -> None:
        """Replace the observer."""
        self._observer = observer


def format_lines(
    formatter: str, fields: Mapping[str, str], lines: ILines
) -> ILogObserver:
    """Create the observer of one form (see :func:`make_observer`), of all levels."""
    if formatter == "text":
        return TextObserver(lines, fields)
    time_name = "@timestamp" if formatter == "logstash" else "time"
    return JsonObserver(lines, fields, time_name)


def _level(name: str) -> LogLevel:
    try:
        return cast(LogLevel, LogLevel.levelWithName(name))
    except InvalidLogLevelError:
        return cast(LogLevel, LogLevel.info)


def _context(fields: Mapping[str, str], namespace: str) -> list[tuple[str, str]]:
    owner = {"request": request_id.get(), "work": work_name.get()}
    if not any(owner.values()) and namespace.startswith("txregistry."):
        # A timer or a connection that is nobody's: name the room.
        owner["work"] = namespace.split(".")[1]
    return [*fields.items(), *((name, text) for name, text in owner.items() if text)]


def _message(event: LogEvent) -> str:
    return formatEvent(event) or str(event.get("log_text", ""))


def _moment(seconds: float) -> str:
    return write_time(seconds, "milliseconds")


def _traceback(event: LogEvent) -> str:
    failure = event.get("log_failure")
    return "" if failure is None else failure.getTraceback()
