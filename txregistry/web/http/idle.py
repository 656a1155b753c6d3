"""A deadline that is put off with every request, and seldom passes."""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.internet.interfaces import IDelayedCall, IReactorTime


@attrs.define(eq=False)
class IdleTimer:
    """One call that can be put off and taken back at little cost.

    To cancel a delayed call and to make another one, twice with each request, costs
    more than to look at the clock. So the one that waits is left where it is, and sees
    when it comes whether it is wanted still, and due. It is used as an
    :class:`IDelayedCall` is, and may be started again.
    """

    _clock: IReactorTime
    _work: Callable[[], object] | None = None
    _due: float = 0.0
    _comes: float = 0.0
    _call: IDelayedCall | None = None

    def start(self, seconds: float, work: Callable[[], object]) -> IdleTimer:
        """Do something later, instead of what was to be done."""
        self._work = work
        self.reset(seconds)
        return self

    def reset(self, seconds: float) -> None:
        """Put it off to so many seconds from now."""
        self._due = self._clock.seconds() + seconds
        if self._call is None:
            self._wait(seconds)
        elif self._due < self._comes:
            self._call.reset(seconds)
            self._comes = self._due

    def cancel(self) -> None:
        """Do it no more; the clock may still keep us for a while."""
        self._work = None

    def stop(self) -> None:
        """Do it no more, and leave nothing with the clock."""
        self.cancel()
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _wait(self, seconds: float) -> None:
        self._comes = self._due
        self._call = self._clock.callLater(seconds, self._look)

    def _look(self) -> None:
        self._call = None
        work, rest = self._work, self._due - self._clock.seconds()
        if work is None:
            return
        if rest > 0:
            self._wait(rest)
        else:
            self._work = None
            work()
