"""Expire what is due, at an interval."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

import attrs
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from txregistry.expiry.plan import BATCH, TICK_SECONDS, ExpiryPlan
from txregistry.expiry.reaper import Expire, Reaper
from txregistry.expiry.rebuild import Rebuild, keep_for_ever
from txregistry.flow.context import background, in_context
from txregistry.flow.deferred import deferred
from txregistry.flow.streams import Watchdog
from txregistry.interfaces.eviction import IPinned
from txregistry.interfaces.expiry import Entry, IExpiryLedger, Kind, LedgerAway

#: Seconds after which a scan that failed is tried again: until one has succeeded
#: nothing is deleted, not even to make room. After each further failure twice as many,
#: up to nine times as long as the scan took, or an hour: where a part of a large tree
#: cannot be read for good, the rest is not read all the time.
RETRY_SECONDS, MAX_RETRY_SECONDS = 10.0, 3600.0


@attrs.define(eq=False, slots=False)
class ExpiryScheduler(Service):
    """A LoopingCall over the ledger.

    Nothing expires before the tree has been scanned once: an entry that the ledger
    lacks might hold the same content.

    :param clock: shows the time of day.
    :param timer: measures durations, whatever becomes of the clock.
    """

    _clock: IReactorTime
    _timer: IReactorTime
    _plan: ExpiryPlan
    _ledger: IExpiryLedger
    _reaper: Reaper
    _rebuild: Rebuild
    _pinned: IPinned
    _functions: Mapping[Kind, Expire] = attrs.field(init=False)
    _loop: LoopingCall = attrs.field(init=False)
    _again: Watchdog = attrs.field(init=False)
    _scan_began: float = 0.0
    _scans_failed: int = 0
    _looping: Deferred[LoopingCall] | None = None
    _rebuilding: Deferred[None] | None = None
    _rebuilt_generation: int | None = None
    _is_told: bool = False
    _after: Entry | None = None
    _log = Logger()

    def __attrs_post_init__(self) -> None:
        self._functions = self._reaper.functions()
        self._loop = LoopingCall(self.tick)
        self._loop.clock = self._timer
        self._again = Watchdog(self._timer, RETRY_SECONDS, self._scan_again)

    def startService(self) -> None:
        """Start the scan of the tree, and the loop."""
        super().startService()
        self._start_rebuild()
        self._looping = self._loop.start(self._plan.interval_seconds, now=False)

    @deferred
    async def stopService(self) -> None:
        """Stop; the current entry is finished first."""
        super().stopService()
        self._again.disarm()
        if self._rebuilding is not None:
            self._rebuilding.cancel()
        if self._loop.running:
            self._loop.stop()
        if self._looping is not None:
            await self._looping

    @property
    def plan(self) -> ExpiryPlan:
        """Give the current plan."""
        return self._plan

    @property
    def is_ready(self) -> bool:
        """Tell whether the tree was scanned since the ledger was last lost."""
        is_scanned = self._rebuilt_generation == self._ledger.generation
        return self._rebuilding is None and is_scanned

    def follow(self, plan: ExpiryPlan) -> None:
        """Use another plan, for existing entries too.

        A scan that has failed is tried again at once: a reload may follow a repair.
        """
        self._plan, self._after = plan, None
        self._rebuild.follow(plan)
        # Applies after the next tick, which is at most a minute away.
        self._loop.interval = plan.interval_seconds
        if self._again.is_armed:
            self._again.arm(0.0)

    @background("expiry")
    @deferred
    async def tick(self) -> None:
        """Do one round; never fails, as that would end the loop."""
        with self._log.failuresHandled("expiry failed, next try at the next tick"):
            told = self._log.failuresHandled("leftovers are not deleted")
            with told, suppress(LedgerAway):
                await self._rebuild.purge_partials()
            with suppress(LedgerAway):  # told by who asked; it will be back
                await self._round()

    @deferred
    async def _round(self) -> None:
        await self._ledger.flush()
        if self._rebuilding is not None:
            return
        if self._rebuilt_generation != self._ledger.generation:
            if not self._again.is_armed:
                self._start_rebuild()
        elif self._plan.expires:
            await self._expire_due()

    @deferred
    async def _expire_due(self) -> None:
        began = self._timer.seconds()
        while self.running and self._timer.seconds() - began < TICK_SECONDS:
            cutoff = self._plan.cutoff(self._clock.seconds())
            entries = await self._ledger.due(
                cutoff=cutoff, limit=BATCH, after=self._after
            )
            if entries:
                await self._pinned.renew()
            for entry in entries:
                await self._consider(entry)
            if len(entries) < BATCH:
                self._after = None  # the next round begins anew
                return

    @deferred
    async def _consider(self, entry: Entry) -> None:
        """Expire an entry if it is due; what lives longer is passed over."""
        if self._plan.is_kept(entry.key.repository):
            # Its repository is local now.
            keep_for_ever(self._ledger, entry)
        elif self._plan.is_due(entry, self._clock.seconds()):
            await self._expire(entry)
        else:
            self._after = entry

    @deferred
    async def _expire(self, entry: Entry) -> None:
        if self._reaper.is_in_use(entry) or self._is_pinned(entry):
            self._ledger.touch(entry.key, self._clock.seconds())
            return
        if not await self._ledger.claim(entry=entry):
            return  # used since it was read
        try:
            await self._functions[entry.key.kind](entry)
            await self._ledger.finish(entry=entry)
        except CancelledError:
            raise
        except LedgerAway:
            self._retry(entry)
            raise  # ends the round
        except Exception:
            self._log.failure("could not expire {key}", key=str(entry.key.reference))
            self._retry(entry)

    def _is_pinned(self, entry: Entry) -> bool:
        key = entry.key
        if key.kind is Kind.TAG:
            return self._pinned.holds_tag(str(key.repository), key.reference)
        return self._pinned.holds(key.reference)

    def _retry(self, entry: Entry) -> None:
        """Keep an entry: it is due again, and tried, at the next tick."""
        soon = self._clock.seconds() + self._plan.interval_seconds / 2
        last_use = self._plan.last_use(entry.key.repository, soon)
        self._ledger.add(attrs.evolve(entry, last_use=last_use))

    @background("expiry")
    def _scan_again(self) -> None:
        if self._rebuilding is None and not self.is_ready:
            self._start_rebuild()

    def _start_rebuild(self) -> None:
        if not self.running:
            return  # it was stopped in the middle of a round
        self._scan_began = self._timer.seconds()
        generation = self._ledger.generation
        rebuilding = self._rebuild.run()
        self._rebuilding = rebuilding
        rebuilding.addCallbacks(
            self._rebuilt, in_context(self._not_rebuilt), (generation,)
        )

    def _rebuilt(self, _: None, generation: int) -> None:
        self._rebuilding, self._rebuilt_generation = None, generation
        self._is_told, self._scans_failed = False, 0

    def _not_rebuilt(self, failure: Failure) -> None:
        self._rebuilding = None
        if failure.check(CancelledError) or not self.running:
            return
        wait = retry_after(self._scans_failed, self._timer.seconds() - self._scan_began)
        self._scans_failed += 1
        self._again.arm(wait)
        if not self._is_told:
            self._tell(failure)
        self._is_told = True

    def _tell(self, failure: Failure) -> None:
        if failure.check(LedgerAway):
            self._log.warn("the tree is scanned once the ledger is back")
        else:
            self._log.failure(
                "could not scan the tree, which is tried again, by a reload at once;"
                " nothing is deleted before that",
                failure,
            )


def retry_after(failures: int, took: float) -> float:
    """Give the seconds until a scan is tried again (pure).

    :param failures: of the scans before it, one after the other.
    :param took: seconds of the last one.
    """
    most = min(max(RETRY_SECONDS, 9 * took), MAX_RETRY_SECONDS)
    return min(RETRY_SECONDS * 2.0 ** min(failures, 20), most)
