"""Streams of HTTP/2 whose client lets us send nothing, and for how long.

Of a connection the kernel knows whether its client takes what is sent. A stream may be
stopped by its window alone, on a connection that is alive in every other way.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from txregistry.web.http.idle import IdleTimer


@attrs.define
class _Stall:
    """How one stream has fared since its client last took enough.

    :ivar closed_at: since when it has had no room for a byte, if it has none.
    :ivar spent: seconds that it had none, before that.
    :ivar granted: bytes that its client has made room for.
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
        """Say how long it may go on; for ever while it has room."""
        if self.closed_at is None:
            return inf
        return self.closed_at + seconds - self.spent - now


@attrs.define(eq=False)
class ClosedWindows:
    """The streams of one connection that wait for their windows to open.

    A window that is opened by a byte now and then would hold what was read for its
    stream for as long as its client likes. So the clock of a stream begins anew only
    when the client has made room for as many bytes as it is to take in that time.

    :param seconds: a stream is given up that has had no room for so long; 0 for never.
    :param enough_bytes: bytes of room after which the clock of a stream begins anew.
    :param on_stalled: is called with the number of such a stream.
    """

    _clock: IReactorTime
    _seconds: float
    _enough_bytes: float
    _on_stalled: Callable[[int], None]
    _stalls: dict[int, _Stall] = attrs.field(factory=dict)
    _closed: dict[int, None] = attrs.field(factory=dict)
    _waiting: dict[int, Deferred[None]] = attrs.field(factory=dict)
    _timer: IdleTimer = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._timer = IdleTimer(self._clock)

    @property
    def streams(self) -> list[int]:
        """Give the streams that wait."""
        return list(self._closed)

    def mark_closed(self, stream: int) -> None:
        """Hear that a stream has something to send, and no room; once is enough."""
        if stream in self._closed:
            return
        self._closed[stream] = None
        self._stalls.setdefault(stream, _Stall()).close(self._clock.seconds())
        if self._seconds:
            self._schedule_check()

    def wait(self, stream: int) -> Deferred[None]:
        """Fire when a stream has room; never, if it ends first."""
        self.mark_closed(stream)
        self._waiting[stream] = Deferred()
        return self._waiting[stream]

    def mark_opened(self, stream: int, room: int) -> None:
        """Hear that there is room again, for so many bytes."""
        self._stalls[stream].open(self._clock.seconds(), room)
        if self._stalls[stream].granted >= self._enough_bytes:
            del self._stalls[stream]
        waiting = self._waiting.get(stream)
        self._stop_waiting(stream)
        if waiting is not None and not waiting.called:
            waiting.callback(None)

    def forget(self, stream: int) -> None:
        """Forget a stream."""
        self._stalls.pop(stream, None)
        self._stop_waiting(stream)

    def stop(self) -> None:
        """Forget all, and leave nothing with the clock."""
        self._stalls.clear()
        self._closed.clear()
        self._waiting.clear()
        self._timer.stop()

    def _stop_waiting(self, stream: int) -> None:
        self._closed.pop(stream, None)
        self._waiting.pop(stream, None)
        if not self._closed:
            self._timer.cancel()

    def _remaining(self, stream: int) -> float:
        return self._stalls[stream].remaining(self._clock.seconds(), self._seconds)

    def _schedule_check(self) -> None:
        self._timer.start(
            max(0.0, min(map(self._remaining, self._closed))), self._check
        )

    def _check(self) -> None:
        for stream in self.streams:
            if stream in self._closed and self._remaining(stream) <= 0:
                self.forget(stream)
                self._on_stalled(stream)
        if self._closed:
            self._schedule_check()
