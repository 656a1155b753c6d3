"""What one read brings is taken in steps, with turns for others between them.

It may be three megabytes of a body. In chunks of one byte that is half a million of
them, and to take them apart would hold all other clients for seconds. So would two
thousand requests, of which 64 KiB may be full; and whoever takes none of their answers
would have us keep them all.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from zope.interface import implementer

#: What has more lines than this is taken in steps: two for each chunk, and one in
#: 64 KiB of random bytes.
MOST_LINES = 1024

#: Taken in one turn of what has many lines: less than 3,000 chunks.
STEP_BYTES = 16 * 1024


def has_many_lines(data: bytes) -> bool:
    """Tell whether it may be a body in tiny chunks, or many requests."""
    return data.count(b"\r\n") > MOST_LINES


@implementer(IPushProducer)
@attrs.define(eq=False)
class Steps:
    """Holds back what has come, and the connection while there is any of it.

    :param network: is paused and resumed.
    :param take: is called with what was held back, in a turn of its own.
    :param is_slow: tells whether all of what has come would hold a turn for long.
    :param step_bytes: taken in one turn of what is.
    """

    _clock: IReactorTime
    _network: IPushProducer
    _take: Callable[[bytes], None]
    _is_slow: Callable[[bytes], bool] = has_many_lines
    _step_bytes: int = STEP_BYTES
    _left: bytes = b""
    _at: int = 0
    _call: IDelayedCall | None = None
    _is_held: bool = False
    _waits: bool = False

    @property
    def waiting(self) -> bool:
        """Tell whether some is held back, which all that comes has to wait for."""
        return bool(self._left)

    def first(self, data: bytes) -> bytes:
        """Give as much as may be taken in this turn; the rest is held back."""
        if len(data) <= self._step_bytes or not self._is_slow(data):
            return data
        self.add(data[self._step_bytes :])
        return data[: self._step_bytes]

    def add(self, data: bytes) -> None:
        """Hold something back, after all that is held back already."""
        self._hold(self._left[self._at :] + data)

    def put_back(self, data: bytes) -> None:
        """Hold back what was taken too early, before all that is held back already."""
        if data:
            self._hold(data + self._left[self._at :])

    def wait(self) -> None:
        """Take nothing more of what is held back, until :meth:`go_on`."""
        self._waits = True
        call, self._call = self._call, None
        if call is not None:
            call.cancel()

    def go_on(self) -> None:
        """Take what is held back, in turns; the connection is held as long."""
        self._waits = False
        if self._left:
            self._hold(self._left[self._at :])

    def _hold(self, data: bytes) -> None:
        self._left, self._at = data, 0
        self._network.pauseProducing()
        if self._call is None and not self._waits:
            self._call = self._clock.callLater(0, self._turn)

    def stop(self) -> None:
        """Forget what is held back: the connection has gone."""
        self._left, self._at = b"", 0
        call, self._call = self._call, None
        if call is not None:
            call.cancel()

    def pauseProducing(self) -> None:
        """Hold the connection back, whatever else would."""
        self._is_held = True
        self._network.pauseProducing()

    def resumeProducing(self) -> None:
        """Let the connection go on, once nothing is held back here."""
        self._is_held = False
        if not self._left and not self._waits:
            self._network.resumeProducing()

    def stopProducing(self) -> None:
        """Give the connection up."""
        self._network.stopProducing()

    def _turn(self) -> None:
        self._call = None
        begin, self._at = self._at, self._at + self._step_bytes
        data = self._left[begin : self._at]
        if self._at < len(self._left):
            self._call = self._clock.callLater(0, self._turn)
        else:
            self._left, self._at = b"", 0
        self._take(data)
        if not (self._left or self._is_held or self._waits):
            self._network.resumeProducing()
