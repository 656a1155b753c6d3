"""Contracts for what a cache did: counts over time, and the last events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum

import attrs
from twisted.internet.defer import Deferred
from zope.interface import Interface

#: Values by the name of their series, such as ``hits`` or ``docker.io/pulled_bytes``.
Values = Mapping[str, float]


class Span(Enum):
    """How far back: each has its own steps, and is forgotten when it is over."""

    DAY = "day"
    MONTH = "month"
    TWO_YEARS = "years"

    @property
    def step(self) -> int:
        """Return the seconds of one sample."""
        return _STEPS[self][0]

    @property
    def kept(self) -> int:
        """Return how many samples are kept."""
        return _STEPS[self][1]


_STEPS = {Span.DAY: (60, 1440), Span.MONTH: (3600, 720), Span.TWO_YEARS: (86400, 730)}


@attrs.frozen
class Sample:
    """What happened in one step.

    :ivar at: when it began, in seconds since the epoch.
    :ivar counts: what was counted in it.
    :ivar levels: what was the case at its end, such as bytes that are stored.
    """

    at: int
    counts: Values
    levels: Values


class IHistory(Interface):
    """Counts over time."""

    def samples(span: Span) -> Deferred[Sequence[Sample]]:
        """Fire with the samples of a span, the oldest first.

        Steps in which the daemon was not running are not there. Fails with
        ``HistoryAway`` if they cannot be read now.
        """


class HistoryAway(Exception):
    """The history cannot be read now; the message says why."""


class EventKind(Enum):
    """What an event is about."""

    CAME = "came"
    WENT = "went"
    FAILED = "failed"
    SLOW = "slow"
    CHANGED = "changed"
    NOTED = "noted"


@attrs.frozen
class ActivityEvent:
    """One thing that happened.

    :ivar number: rises by one with each event.
    :ivar at: in seconds since the epoch.
    :ivar text: as in the log.
    :ivar request: the id of the request, as in the log; empty if none did it.
    :ivar source: the part of the daemon that tells it.
    """

    number: int
    at: float
    kind: EventKind
    text: str
    request: str
    source: str


class IActivity(Interface):
    """The last events, as far as memory goes."""

    def latest() -> int:
        """Return the number of the newest event; 0 without one."""

    def events(
        kinds: frozenset[EventKind], text: str, limit: int, before: int = 0
    ) -> Sequence[ActivityEvent]:
        """Give the newest events, the newest first.

        :param before: only those with a smaller number; 0 for all.
        :param kinds: of these alone; empty for all.
        :param text: that is part of what is told, whatever its case; empty for all.
        """
