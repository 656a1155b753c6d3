"""The last events of the log, for whoever looks without reading it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import islice
from threading import Lock
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

#: Most events, and characters of one.
MAX_EVENTS, MAX_TEXT = 2000, 1000

#: Most of those kinds that are kept apart: what was changed by whom is pushed out by
#: nothing else, and what is frequent pushes nothing else out.
MAX_APART = {EventKind.CHANGED: 500, EventKind.SLOW: 500}

#: What the parts of the daemon tell of, by the beginnings of their names.
_KINDS = (
    ("txregistry.observe.slow", EventKind.SLOW),
    ("txregistry.proxy.download", EventKind.FAILED),
    ("txregistry.proxy", EventKind.CAME),
    ("txregistry.storage.uploads", EventKind.WENT),
    ("txregistry.expiry", EventKind.WENT),
    ("txregistry.eviction", EventKind.WENT),
    ("txregistry.storage.gc", EventKind.WENT),
)


@implementer(IActivity, ILogObserver)
@attrs.define(eq=False, slots=False)
class Activity(Service):
    """Remembers what is logged at ``info`` and above, or is marked, while it runs.

    :param publisher: of the events of the log.
    """

    _publisher: Any = attrs.field(default=globalLogPublisher)
    _events: deque[ActivityEvent] = attrs.field(
        factory=lambda: deque(maxlen=MAX_EVENTS)
    )
    _apart: dict[EventKind, deque[ActivityEvent]] = attrs.field(
        factory=lambda: {kind: deque(maxlen=most) for kind, most in MAX_APART.items()}
    )
    _number: int = 0
    #: Events come from any thread.
    _lock: Any = attrs.field(factory=Lock)

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
        is_told = level >= LogLevel.info or event.get("activity", False)
        if not namespace.startswith("txregistry.") or not is_told:
            return
        text, kind = formatEvent(event)[:MAX_TEXT], _kind_of(event, namespace, level)
        request = str(event.get("request") or request_id.get())
        at, source = float(event.get("log_time", 0.0)), namespace
        source = source.removeprefix("txregistry.")
        with self._lock:
            self._number += 1
            found = ActivityEvent(self._number, at, kind, text, request, source)
            self._apart.get(kind, self._events).append(found)

    def latest(self) -> int:
        """Return the number of the newest event; see :class:`IActivity`."""
        return self._number

    def events(
        self, kinds: frozenset[EventKind], text: str, limit: int, before: int = 0
    ) -> Sequence[ActivityEvent]:
        """Give the newest events; see :class:`IActivity`."""
        return list(islice(self._found(kinds, text.lower(), before), limit))

    def _newest(self) -> Iterator[ActivityEvent]:
        with self._lock:
            rings = [list(ring) for ring in (self._events, *self._apart.values())]
        newest_first = [reversed(ring) for ring in rings]
        return merge(*newest_first, key=lambda event: -event.number)

    def _found(
        self, kinds: frozenset[EventKind], text: str, before: int
    ) -> Iterator[ActivityEvent]:
        for event in self._newest():
            is_meant = not kinds or event.kind in kinds
            is_meant = is_meant and (not before or event.number < before)
            if is_meant and (text in event.text.lower() or text == event.request):
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
