"""A rate in bytes per second that several streams share fairly.

A stream reports what it has received. While the rate is used up it is held back, and
let go when its turn has come: streams that wait are served in the order of what each
has received in its turns, so that none gets more than another, whatever the sizes of
their pieces. One for which nobody waits is served when no other wants to be.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from txregistry.flow.demand import SOMEBODY, Demand

#: Seconds of the rate that may be received at once after a pause.
BURST_SECONDS = 0.25

#: Seconds of the rate that one stream receives at once, and its bounds in bytes.
PIECE_SECONDS = 0.05
MIN_PIECE_BYTES = 4 * 1024
MAX_PIECE_BYTES = 1024 * 1024

#: A remainder, in bytes, that counts as nothing: time is not exact.
_NOTHING = 1e-3


@attrs.define(eq=False)
class SharedRate:
    """A token bucket for any number of streams.

    :param rate: bytes per second; 0 for no limit.
    """

    _clock: IReactorTime
    _rate: float = 0.0
    _tokens: float = attrs.field(init=False)
    _at: float = attrs.field(init=False)
    _served: float = 0.0
    _waiting: dict[RateStream, None] = attrs.field(factory=dict)
    _timer: IDelayedCall | None = None

    def __attrs_post_init__(self) -> None:
        self._tokens, self._at = self._burst, self._clock.seconds()

    def open(
        self,
        hold: Callable[[], None],
        release: Callable[[], None],
        demand: Demand = SOMEBODY,
    ) -> RateStream:
        """Give a stream its share.

        :param hold: called when the stream has to stop receiving.
        :param release: called when it may go on.
        :param demand: whether somebody waits for it; looked at when it has a turn.
        """
        return RateStream(self, hold, release, demand, self._served)

    def follow(self, rate: float) -> None:
        """Change the rate; those that wait begin to wait for the new one."""
        self._refill()
        self._rate = rate
        self._tokens = min(self._tokens, self._burst)
        self._serve()

    @property
    def piece_bytes(self) -> int:
        """Return the bytes that a stream is to receive at once.

        Larger pieces would let one stream run ahead of the others, and of the rate.
        """
        if not self._rate:
            return MAX_PIECE_BYTES
        return min(
            MAX_PIECE_BYTES, max(MIN_PIECE_BYTES, int(self._rate * PIECE_SECONDS))
        )

    @property
    def waiting(self) -> int:
        """Return the number of streams that are held back."""
        return len(self._waiting)

    def received(self, stream: RateStream, size: int) -> None:
        """Take a report; see :meth:`RateStream.received`."""
        if not self._rate:
            return
        stream.owed += size
        if stream in self._waiting:
            return
        self._refill()
        if self._has_tokens and not self._waiting:
            self._pay(stream)
            return
        self._waiting[stream] = None
        stream.hold()
        self._schedule()

    def leave(self, stream: RateStream) -> None:
        """Forget a stream; what it has received still counts."""
        self._tokens -= stream.owed
        stream.owed = 0
        self._waiting.pop(stream, None)
        self._schedule()

    @property
    def _burst(self) -> float:
        return self._rate * BURST_SECONDS

    @property
    def _has_tokens(self) -> bool:
        return self._tokens > -_NOTHING

    def _refill(self) -> None:
        now = self._clock.seconds()
        gained = max(0.0, now - self._at) * self._rate
        self._tokens, self._at = min(self._burst, self._tokens + gained), now

    def _pay(self, stream: RateStream) -> None:
        # Who was idle has no claim to what others had meanwhile.
        self._served = max(self._served, stream.served)
        stream.served = self._served + stream.owed
        self._tokens -= stream.owed
        stream.owed = 0

    def _serve(self) -> None:
        self._refill()
        while self._waiting and (self._has_tokens or not self._rate):
            stream = min(self._waiting, key=_order)
            del self._waiting[stream]
            if self._rate:
                self._pay(stream)
            stream.owed = 0
            stream.release()
        self._schedule()

    def _on_timer(self) -> None:
        self._timer = None
        self._serve()

    def _schedule(self) -> None:
        """Have the next one served when there is something for it."""
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()
        if self._waiting:
            wait = max(0.0, -self._tokens / self._rate)
            self._timer = self._clock.callLater(wait, self._on_timer)


@attrs.define(eq=False)
class RateStream:
    """One of the streams that share a rate.

    :ivar served: what it has received in its turns, on the scale of all streams.
    :ivar owed: bytes received for which it has not had a turn.
    """

    _rate: SharedRate
    hold: Callable[[], None]
    release: Callable[[], None]
    demand: Demand
    served: float
    owed: int = 0

    def received(self, size: int) -> None:
        """Report bytes; the stream is held back if they are more than its share."""
        self._rate.received(self, size)

    @property
    def piece_bytes(self) -> int:
        """Return the bytes that it is to receive at once."""
        return self._rate.piece_bytes

    def close(self) -> None:
        """Leave; must be called once, at the end of the stream."""
        self._rate.leave(self)


def _order(stream: RateStream) -> tuple[bool, float]:
    return not stream.demand.is_awaited, stream.served
