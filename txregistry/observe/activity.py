"""The last events of the log, for whoever looks without reading it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import attrs
from twisted.application.service import Service
from twisted.logger import (
    ILogObserver,
    LogEvent,
    LogLevel,
    formatEvent,
    globalLogPublisher,
)
from zope.interface import implementer

from txregistry.flow.context import request_id
from txregistry.interfaces.history import ActivityEvent, EventKind, IActivity

#: Most events, and bytes of text of one.
MAX_EVENTS, MAX_TEXT_BYTES = 2000, 1000

#: What the parts of the daemon tell of, by the beginnings of their names.
_KINDS = (
    ("txregistry.proxy", EventKind.CAME),
    ("txregistry.storage.uploads", EventKind.CAME),
    ("txregistry.expiry", EventKind.WENT),
    ("txregistry.eviction", EventKind.WENT),
    ("txregistry.storage.gc", EventKind.WENT),
)


@implementer(IActivity, ILogObserver)
@attrs.define(eq=False, slots=False)
class Activity(Service):
    """Remembers what is logged at ``info`` and above while it runs.

    :param publisher: of the events of the log.
    """

    _publisher: Any = attrs.field(default=globalLogPublisher)
    _events: deque[ActivityEvent] = attrs.field(
        factory=lambda: deque(maxlen=MAX_EVENTS)
    )
    _number: int = 0

    def startService(self) -> None:
        """Listen to the log."""
        super().startService()
        self._publisher.addObserver(self)

    def stopService(self) -> None:
        """Listen no more."""
        super().stopService()
        self._publisher.removeObserver(self)

    def __call__(self, event: LogEvent) -> None:
        """Remember one event of ours."""
        namespace = str(event.get("log_namespace", ""))
        level = event.get("log_level", LogLevel.debug)
        if not namespace.startswith("txregistry.") or level < LogLevel.info:
            return
        self._number += 1
        found = ActivityEvent(
            self._number,
            float(event.get("log_time", 0.0)),
            _kind_of(event, namespace, level),
            formatEvent(event)[:MAX_TEXT_BYTES],
            str(event.get("request") or request_id.get()),
            namespace.removeprefix("txregistry."),
        )
        self._events.append(found)

    def events(
        self, kinds: frozenset[EventKind], text: str, limit: int
    ) -> Sequence[ActivityEvent]:
        """Give the newest events; see :class:`IActivity`."""
        return list(self._found(kinds, text.lower(), limit))

    def _found(
        self, kinds: frozenset[EventKind], text: str, limit: int
    ) -> Iterator[ActivityEvent]:
        for event in reversed(self._events):
            if limit <= 0:
                return
            is_meant = not kinds or event.kind in kinds
            if is_meant and (text in event.text.lower() or text == event.request):
                limit -= 1
                yield event


def _kind_of(event: LogEvent, namespace: str, level: Any) -> EventKind:
    """Tell what an event is about (pure)."""
    if event.get("audit"):
        return EventKind.CHANGED
    if level > LogLevel.info:
        return EventKind.FAILED
    for beginning, kind in _KINDS:
        if namespace.startswith(beginning):
            return kind
    return EventKind.NOTED
