"""A timer that is cheap to reset and cancel, for deadlines that rarely pass."""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.internet.interfaces import IDelayedCall, IReactorTime


@attrs.define(eq=False)
class IdleTimer:
    """A delayed call that can be reset and cancelled without touching the reactor.

    Each request resets it twice, and a new ``callLater`` each time takes longer than
    reading the clock. So the reactor's call is left alone: when it fires, it checks
    whether the timer is still wanted and due. Twisted uses it as an
    :class:`IDelayedCall`; it can be started again.
    """

    _clock: IReactorTime
    _callback: Callable[[], object] | None = None
    _due: float = 0.0
    _fires_at: float = 0.0
    _call: IDelayedCall | None = None

    def start(self, seconds: float, callback: Callable[[], object]) -> IdleTimer:
        """Call ``callback`` after some seconds; replaces a call that is pending."""
        self._callback = callback
        self.reset(seconds)
        return self

    def reset(self, seconds: float) -> None:
        """Put the call off until ``seconds`` from now."""
        self._due = self._clock.seconds() + seconds
        if self._call is None:
            self._schedule(seconds)
        elif self._due < self._fires_at:
            self._call.reset(seconds)
            self._fires_at = self._due

    def cancel(self) -> None:
        """Cancel the call; the reactor may keep a delayed call that does nothing."""
        self._callback = None

    def stop(self) -> None:
        """Cancel the call, and the reactor's delayed call as well."""
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
