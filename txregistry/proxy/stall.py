"""A limit on how long a download may bring nothing new."""

from __future__ import annotations

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime

from txregistry.flow.deferred import deferred
from txregistry.flow.streams import Watchdog
from txregistry.spec.errors import UpstreamTimeout


@attrs.define(eq=False)
class StallClock:
    """Ends work that makes no progress, however often it is retried.

    :param seconds: without progress, after which it ends.
    """

    _clock: IReactorTime
    _seconds: float
    _skipped: int = 0
    _stalled: bool = False
    _is_held: bool = False
    _work: Deferred[None] | None = None
    _timer: Watchdog = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._timer = Watchdog(self._clock, self._seconds, self._time_out)

    @deferred
    async def watch(self, work: Deferred[None]) -> None:
        """Wait for work; fail as it does, or with ``UpstreamTimeout``."""
        self._work = work
        self.progressed()
        try:
            await work
        except CancelledError:
            if not self._stalled:
                raise
            facts = {"reason": f"sent no new byte for {self._seconds:g} s"}
            raise UpstreamTimeout(facts) from None
        finally:
            self._work = None
            self._timer.disarm()

    def progressed(self) -> None:
        """Restart the timer: a new byte has come."""
        if self._work is not None and not self._is_held:
            self._timer.arm()

    def hold(self, is_held: bool) -> None:
        """Stop the timer while we hold the work back ourselves."""
        self._is_held = is_held
        if is_held:
            self._timer.disarm()
        else:
            self.progressed()

    def skipped(self, position: int) -> None:
        """Restart the timer for bytes sent again, once per byte."""
        if position > self._skipped:
            self._skipped = position
            self.progressed()

    def _time_out(self) -> None:
        if self._work is not None:
            self._stalled = True
            self._work.cancel()
