"""Streams of HTTP/2 whose client lets us send nothing, and for how long.

Of a connection the kernel knows whether its client takes what is sent. A stream may be
stopped by its window alone, on a connection that is alive in every other way.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from txregistry.web.idle import IdleTimer


@attrs.define(eq=False)
class ClosedWindows:
    """The streams of one connection that wait for their windows to open.

    :param seconds: after which a stream is given up that has had no room for a byte;
        0 for never.
    :param give_up: is called with the number of such a stream.
    """

    _clock: IReactorTime
    _seconds: float
    _give_up: Callable[[int], None]
    _since: dict[int, float] = attrs.field(factory=dict)
    _waiting: dict[int, Deferred[None]] = attrs.field(factory=dict)
    _timer: IdleTimer = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._timer = IdleTimer(self._clock)

    @property
    def streams(self) -> list[int]:
        """Give the streams that wait."""
        return list(self._since)

    def closed(self, stream: int) -> None:
        """Hear that a stream has something to send, and no room; once is enough."""
        if stream in self._since:
            return
        self._since[stream] = self._clock.seconds()
        if self._seconds and len(self._since) == 1:
            self._timer.start(self._seconds, self._look)

    def wait(self, stream: int) -> Deferred[None]:
        """Fire when a stream has room; never, if it ends first."""
        self.closed(stream)
        self._waiting[stream] = Deferred()
        return self._waiting[stream]

    def opened(self, stream: int) -> None:
        """Hear that there is room again."""
        waiting = self._waiting.get(stream)
        self.ended(stream)
        if waiting is not None and not waiting.called:
            waiting.callback(None)

    def ended(self, stream: int) -> None:
        """Forget a stream."""
        self._since.pop(stream, None)
        self._waiting.pop(stream, None)
        if not self._since:
            self._timer.cancel()

    def stop(self) -> None:
        """Forget all, and leave nothing with the clock."""
        self._since.clear()
        self._waiting.clear()
        self._timer.stop()

    def _look(self) -> None:
        now = self._clock.seconds()
        for stream, since in list(self._since.items()):
            if now - since >= self._seconds:
                self.ended(stream)
                self._give_up(stream)
        if self._since:
            rest = min(self._since.values()) + self._seconds - now
            self._timer.start(rest, self._look)
