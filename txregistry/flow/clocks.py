"""Two clocks: one that only goes forward, and one that shows what people read.

Durations (time limits, retries, how long something took) are counted by a clock that
nobody sets. What is told to people and kept on disk is by the wall clock, which may be
set back or forward at any moment: a device without a clock of its own begins in 1970.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer


def steady(
    wall: Callable[[], float], monotonic: Callable[[], float]
) -> Callable[[], float]:
    """Give a clock that begins at the present time and only goes forward.

    :return: gives seconds; their differences are what counts.
    """
    began = wall() - monotonic()
    return lambda: began + monotonic()


@implementer(IReactorTime)
@attrs.frozen
class WallClock:
    """Shows the time of day; what is to happen later happens by the steady clock.

    :param wall: gives seconds since the epoch.
    """

    _steady: IReactorTime
    _wall: Callable[[], float]

    def seconds(self) -> float:
        """Give seconds since the epoch, as far as this machine knows."""
        return self._wall()

    def callLater(
        self,
        delay: float,
        callable: Callable[..., Any],  # noqa: A002 - the interface says so
        *args: object,
        **kwargs: object,
    ) -> IDelayedCall:
        """Call something after some seconds."""
        return self._steady.callLater(delay, callable, *args, **kwargs)

    def getDelayedCalls(self) -> Sequence[IDelayedCall]:
        """Give what is to be called."""
        return self._steady.getDelayedCalls()
