"""A monotonic clock for durations, and a wall clock for timestamps.

Timeouts, retries and measured durations use a clock that nobody can set. Timestamps for
people and on disk use the wall clock, which may jump at any time: a device without a
real-time clock starts in 1970.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer


def steady_clock(
    wall: Callable[[], float], monotonic: Callable[[], float]
) -> Callable[[], float]:
    """Return a monotonic clock that starts at the current wall time.

    :return: returns seconds; only their differences are meaningful.
    """
    began = wall() - monotonic()
    return lambda: began + monotonic()


@implementer(IReactorTime)
@attrs.frozen
class WallClock:
    """Returns wall time, but schedules calls on the monotonic clock.

    :param wall: returns seconds since the epoch.
    """

    _monotonic: IReactorTime
    _wall: Callable[[], float]

    def seconds(self) -> float:
        """Return seconds since the epoch."""
        return self._wall()

    def callLater(
        self,
        delay: float,
        callable: Callable[..., Any],  # noqa: A002 - the interface says so
        *args: object,
        **kwargs: object,
    ) -> IDelayedCall:
        """Call a function after ``delay`` seconds, however the wall clock is set."""
        return self._monotonic.callLater(delay, callable, *args, **kwargs)

    def getDelayedCalls(self) -> Sequence[IDelayedCall]:
        """Return the pending calls."""
        return self._monotonic.getDelayedCalls()
