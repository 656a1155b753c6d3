"""Scrubs by itself every so often, and when an operator asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from txregistry.flow.context import background, in_context
from txregistry.flow.deferred import deferred
from txregistry.interfaces.scrub import (
    IScrubber,
    IScrubMeter,
    ScrubOptions,
    ScrubProgress,
    ScrubRefused,
    ScrubReport,
)
from txregistry.storage.scrub.plan import seconds_until_due
from txregistry.storage.scrub.scrubber import Scrubber

#: Seconds between two looks whether a pass is due, at most: the clock may be set.
_LOOK_SECONDS = 3600.0

#: Seconds after which a pass that failed is resumed.
_RETRY_SECONDS = 600.0


@attrs.frozen
class ScrubPlan:
    """When to scrub without being asked, in seconds.

    :ivar first_delay: from the start of the daemon to the first look.
    :ivar interval: from the begin of a pass to that of the next.
    :ivar rate: bytes per second; 0 for no limit.
    """

    first_delay: float
    interval: float
    rate: float


@implementer(IScrubber)
@attrs.define(eq=False, slots=False)
class Scrubbing(Service):
    """Runs passes: its own, which resume, and those that are asked for.

    A pass that is asked for interrupts an own one, which resumes after it.

    :param plan: ``None`` to scrub only when asked.
    :param wall: shows the time of day.
    """

    _scrubber: Scrubber
    _plan: ScrubPlan | None
    _meter: IScrubMeter
    _wall: IReactorTime
    _clock: IReactorTime
    _looping: Deferred[None] | None = None
    _work: Deferred[ScrubReport] | None = None
    _is_asked: bool = False
    _log = Logger()

    def follow(self, plan: ScrubPlan | None) -> None:
        """Use another plan; our own pass is interrupted, and resumes by it."""
        self._plan = plan
        self._restart().addErrback(in_context(self._not_scheduled))

    def _not_scheduled(self, failure: Failure) -> None:
        self._log.failure("the next scrub is not scheduled", failure)

    @deferred
    async def _restart(self) -> None:
        # A pass that was asked for starts the timer when it has ended.
        if self.running and not self._is_asked:
            await self._pause()
        if self.running and not self._is_asked and self._looping is None:
            self._loop(self._plan.first_delay if self._plan is not None else 0.0)

    def startService(self) -> None:
        """Start the timer."""
        super().startService()
        self._loop(self._plan.first_delay if self._plan is not None else 0.0)

    @deferred
    async def stopService(self) -> None:
        """Interrupt the pass under way; fires when its position is kept."""
        super().stopService()
        if self._work is not None:
            await _ended(self._work)
        await self._pause()

    @deferred
    async def scrub(
        self, options: ScrubOptions, tell: Callable[[ScrubProgress], None]
    ) -> ScrubReport:
        """Make one pass now; see :class:`IScrubber`."""
        if self._is_asked:
            raise ScrubRefused("a verification is under way already")
        self._is_asked = True
        try:
            await self._pause()
            if not self.running:
                raise ScrubRefused("the daemon starts or stops just now")
            self._work = self._scrubber.scrub(options, tell)
            return await self._work
        finally:
            self._is_asked, self._work = False, None
            if self.running and self._looping is None:
                self._loop(0.0)

    def _loop(self, delay: float) -> None:
        self._looping = self._run(delay)
        self._looping.addErrback(in_context(self._not_looping))

    def _not_looping(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self._not_scheduled(failure)

    @deferred
    async def _pause(self) -> None:
        """Interrupt our own pass; fires when its position is kept."""
        looping = self._looping
        if looping is not None:
            await _ended(looping)
        if self._looping is looping:
            self._looping = None

    @background("scrub")
    @deferred
    async def _run(self, delay: float) -> None:
        known = await self._scrubber.remembered()
        if known.last is not None:
            self._meter.ended(known.last.ended_at, known.last.unresolved)
        if self._plan is None:
            return
        await deferLater(self._clock, delay)
        while True:
            await deferLater(self._clock, await self._look(self._plan))

    @deferred
    async def _look(self, plan: ScrubPlan) -> float:
        """Make a pass if one is due; fire with the seconds until the next look."""
        try:
            known = await self._scrubber.remembered()
            wait = seconds_until_due(known.last, plan.interval, self._wall.seconds())
            if known.current is None and wait:
                return min(wait, _LOOK_SECONDS)
            options = ScrubOptions(plan.rate, resume=True)
            report = await self._scrubber.scrub(options, lambda _: None)
        except CancelledError:
            raise
        except Exception:
            self._log.failure("the scrub failed, it is resumed later")
            return _RETRY_SECONDS
        if not report.complete:
            raise CancelledError()
        return 0.0


@deferred
async def _ended(work: Deferred[Any]) -> None:
    """Cancel work, and fire when it has ended, however."""
    ended: Deferred[None] = Deferred()

    def tell(result: Any) -> Any:
        ended.callback(None)
        return result

    work.addBoth(tell)
    work.cancel()
    await ended
