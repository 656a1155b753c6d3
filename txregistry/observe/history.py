"""Counts over time in a small database: minutes, hours and days.

Each sample is one row for each span, so that the file has about 2,900 rows at most.
What could not be written, as on a full disk, is part of the next sample.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence

import attrs
from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from txregistry.flow.context import background
from txregistry.flow.database import Database
from txregistry.flow.deferred import deferred
from txregistry.flow.streams import Watchdog
from txregistry.interfaces.history import HistoryAway, IHistory, Sample, Span, Values

SCHEMA = """
CREATE TABLE IF NOT EXISTS history (
    span TEXT NOT NULL,
    at INTEGER NOT NULL,
    counts TEXT NOT NULL,
    levels TEXT NOT NULL,
    PRIMARY KEY (span, at)
) WITHOUT ROWID;
"""
VERSION = 1

#: Series of one sample; further ones are left out, so that rows are bounded.
MAX_SERIES = 200

_FIND = "SELECT counts, levels FROM history WHERE span = ? AND at = ?"
_PUT = "INSERT OR REPLACE INTO history VALUES (?, ?, ?, ?)"

#: By their number, and not by their age: a clock that is wrong for a while takes
#: nothing away.
_FORGET = (
    "DELETE FROM history WHERE span = :span AND at NOT IN (SELECT at FROM history"
    " WHERE span = :span ORDER BY abs(at - :now) LIMIT :kept)"
)
_ALL = "SELECT at, counts, levels FROM history WHERE span = ? ORDER BY at"


@implementer(IHistory)
@attrs.define(eq=False, slots=False)
class History(Service):
    """Takes a sample in the middle of each minute, and one when it stops.

    In the middle, as one that comes late is still that of its minute.

    :param counts: gives counters as they stand: they only rise, from 0 at the start. A
        name with a slash is that of an upstream and of what is counted.
    :param levels: gives what is the case now.
    :param clock: shows the time of day.
    :param timer: measures the minutes.
    """

    _database: Database
    _counts: Callable[[], Values]
    _levels: Callable[[], Deferred[Values]]
    _clock: IReactorTime
    _timer: IReactorTime
    _before: Values = attrs.field(factory=dict)
    _next: Watchdog = attrs.field(init=False)
    _lock: DeferredLock = attrs.field(factory=DeferredLock)
    _log = Logger()

    def __attrs_post_init__(self) -> None:
        self._next = Watchdog(self._timer, Span.DAY.step, self._take)

    def startService(self) -> None:
        """Begin with what is counted now."""
        super().startService()
        self._before = self._counts()
        self._wait()

    @deferred
    async def stopService(self) -> None:
        """Take the last sample, and close the file."""
        super().stopService()
        self._next.disarm()
        await self.sample()
        await self._database.close()

    def _wait(self, _: object = None) -> None:
        """Take the next sample when it is time, and so on while this runs."""
        if self.running:
            self._next.arm(until_middle(self._clock.seconds()))

    def _take(self) -> None:
        self.sample().addCallback(self._wait)

    def sample(self) -> Deferred[None]:
        """Take one sample, after those under way; never fails."""
        done: Deferred[None] = self._lock.run(self._sample)
        return done

    @background("history")
    @deferred
    async def _sample(self) -> None:
        levels = await self._current_levels()
        try:
            counts = self._counts()
            rises = _rises(self._before, counts)
            now = int(self._clock.seconds())
            await self._database.run(lambda db: _record(db, now, rises, levels))
            self._before = counts
        except Exception as error:
            # It is counted in the next one.
            self._log.warn("no sample of the history: {error}", error=str(error))

    @deferred
    async def _current_levels(self) -> Values:
        try:
            return await self._levels()
        except Exception as error:
            # What was counted is recorded all the same.
            self._log.warn("no levels for the history: {error}", error=str(error))
            return {}

    @deferred
    async def samples(self, span: Span) -> Sequence[Sample]:
        """Fire with the samples of a span; see :class:`IHistory`."""
        now = int(self._clock.seconds())
        oldest = now - span.step * span.kept
        try:
            rows = await self._database.run(
                lambda db: db.execute(_ALL, (span.value,)).fetchall()
            )
        except sqlite3.Error as error:
            raise HistoryAway(str(error)) from error
        return [
            Sample(at, json.loads(counts), json.loads(levels))
            for at, counts, levels in rows
            if oldest < at <= now
        ]


def until_middle(now: float) -> float:
    """Give the seconds until the middle of a minute (pure).

    A second before it, as a timer may be early, it is that of the next one.
    """
    step = Span.DAY.step
    wait = (step / 2 - now) % step
    return wait if wait > 1 else wait + step


def _rises(before: Values, after: Values) -> dict[str, float]:
    """Give what counters have risen by, with the sums of all upstreams first (pure).

    A counter that was reset began at 0. One that is gone, as its upstream is, takes
    nothing away from the sum.
    """
    sums: dict[str, float] = {}
    rises: dict[str, float] = {}
    for name, now in after.items():
        past = before.get(name, 0.0)
        rise = now - past if now >= past else now
        if rise:
            rises[name] = rise
            what = name.rpartition("/")[2]
            sums[what] = sums.get(what, 0.0) + rise
    whole = sums | rises
    return dict(list(whole.items())[:MAX_SERIES])


def _record(db: sqlite3.Connection, now: int, rises: Values, levels: Values) -> None:
    """Add a sample to the current step of each span, and forget what is too old."""
    kept = dict(list(levels.items())[:MAX_SERIES])
    for span in Span:
        at = now - now % span.step
        row = db.execute(_FIND, (span.value, at)).fetchone()
        counts = _added(json.loads(row[0]) if row else {}, rises)
        db.execute(_PUT, (span.value, at, json.dumps(counts), json.dumps(kept)))
        db.execute(_FORGET, {"span": span.value, "now": now, "kept": span.kept})


def _added(counts: dict[str, float], rises: Values) -> dict[str, float]:
    found = dict(counts)
    for name, rise in rises.items():
        if name not in found and len(found) >= MAX_SERIES:
            continue  # of upstreams that came and went within one step
        found[name] = found.get(name, 0.0) + rise
    return found
