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
    _callback: Callable[[], object] | None = None
    _due: float = 0.0
    _fires_at: float = 0.0
    _call: IDelayedCall | None = None

    def start(self, seconds: float, callback: Callable[[], object]) -> IdleTimer:
        """Do something later, instead of what was to be done."""
        self._callback = callback
        self.reset(seconds)
        return self

    def reset(self, seconds: float) -> None:
        """Put it off to so many seconds from now."""
        self._due = self._clock.seconds() + seconds
        if self._call is None:
            self._schedule(seconds)
        elif self._due < self._fires_at:
            self._call.reset(seconds)
            self._fires_at = self._due

    def cancel(self) -> None:
        """Do it no more; the clock may still keep us for a while."""
        self._callback = None

    def stop(self) -> None:
        """Do it no more, and leave nothing with the clock."""
        self.cancel()
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _schedule(self, seconds: float) -> None:
        self._fires_at = self._due
        self._call = self._clock.callLater(seconds, self._fire)

    def _fire(self) -> None:
        self._call = None
        callback, remaining = self._callback, self._due - self._clock.seconds()
        if callback is None:
            return
        if remaining > 0:
            self._schedule(remaining)
        else:
            self._callback = None
            callback()
