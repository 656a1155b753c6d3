"""HTTP/2 streams with a closed flow-control window, and their timeouts.

``TCP_USER_TIMEOUT`` ends a connection whose client reads nothing. It does not help
against a client that reads, but keeps the window of a stream closed.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime


@attrs.define
class _Stall:
    """The time that one stream's window was closed, and how much was granted since.

    :ivar closed_at: when the window closed; ``None`` while it is open.
    :ivar spent: seconds that it was closed before.
    :ivar granted: bytes by which the client has opened it.
    """

    closed_at: float | None = None
    spent: float = 0.0
    granted: int = 0

    def close(self, now: float) -> None:
        if self.closed_at is None:
            self.closed_at = now

    def open(self, now: float, room: int) -> None:
        if self.closed_at is not None:
            self.spent += now - self.closed_at
        self.closed_at = None
        self.granted += room

    def remaining(self, now: float, seconds: float) -> float:
        """Return the seconds until the stream times out; infinite while it is open."""
        if self.closed_at is None:
            return inf
        return self.closed_at + seconds - self.spent - now


@attrs.define(eq=False)
class ClosedWindows:
    """The streams of one connection whose windows are closed.

    A client could keep a stream alive by opening its window by a byte now and then. So
    the clock of a stream starts again only after its client has granted
    ``enough_bytes``, what it has to accept in that time at the minimum rate.

    :param window: returns the bytes that may be sent on a stream now.
    :param seconds: a stream times out when its window was closed for this long; 0 for
        never.
    :param enough_bytes: granted bytes after which the clock of a stream starts again.
    :param on_stalled: is called with the id of a stream that timed out.
    """

    _clock: IReactorTime
    _window: Callable[[int], int]
    _seconds: float
    _enough_bytes: float
    _on_stalled: Callable[[int], None]
    _stalls: dict[int, _Stall] = attrs.field(factory=dict)
    _closed: dict[int, None] = attrs.field(factory=dict)
    _waiting: dict[int, Deferred[None]] = attrs.field(factory=dict)
    _check_call: IDelayedCall | None = None

    @property
    def streams(self) -> list[int]:
        """Return the ids of streams whose windows are closed."""
        return list(self._closed)

    def mark_closed(self, stream: int) -> None:
        """Start the clock of a stream with a closed window; idempotent."""
        if stream in self._closed:
            return
        self._closed[stream] = None
        self._stalls.setdefault(stream, _Stall()).close(self._clock.seconds())
        if self._seconds:
            self._schedule_check()

    def wait(self, stream: int) -> Deferred[None]:
        """Fire when the window of a stream opens; never, if the stream ends first."""
        if self._window(stream) > 0:
            return succeed(None)
        self.mark_closed(stream)
        self._waiting[stream] = Deferred()
        return self._waiting[stream]

    def collect_opened(self) -> list[int]:
        """Stop the clocks of streams whose windows have opened, and return their ids.

        Fires what :meth:`wait` returned for them.
        """
        found = []
        for stream in self.streams:
            room = self._window(stream)
            # What fires for one stream may end another.
            if room > 0 and stream in self._closed:
                found.append(stream)
                self._open(stream, room)
        return found

    def forget(self, stream: int) -> None:
        """Forget a stream that has ended."""
        self._stalls.pop(stream, None)
        self._stop_waiting(stream)

    def stop(self) -> None:
        """Forget all streams, and stop the timer."""
        self._stalls.clear()
        self._closed.clear()
        self._waiting.clear()
        self._cancel_check()

    def _open(self, stream: int, room: int) -> None:
        self._stalls[stream].open(self._clock.seconds(), room)
        if self._stalls[stream].granted >= self._enough_bytes:
            del self._stalls[stream]
        waiting = self._waiting.get(stream)
        self._stop_waiting(stream)
        if waiting is not None and not waiting.called:
            waiting.callback(None)

    def _stop_waiting(self, stream: int) -> None:
        self._closed.pop(stream, None)
        self._waiting.pop(stream, None)
        if not self._closed:
            self._cancel_check()

    def _remaining(self, stream: int) -> float:
        return self._stalls[stream].remaining(self._clock.seconds(), self._seconds)

    def _schedule_check(self) -> None:
        self._cancel_check()
        delay = max(0.0, min(map(self._remaining, self._closed)))
        self._check_call = self._clock.callLater(delay, self._check)

    def _cancel_check(self) -> None:
        call, self._check_call = self._check_call, None
        if call is not None:
            call.cancel()

    def _check(self) -> None:
        self._check_call = None
        for stream in self.streams:
            if stream in self._closed and self._remaining(stream) <= 0:
                self.forget(stream)
                self._on_stalled(stream)
        if self._closed:
            self._schedule_check()
