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
MAX_LINES = 1024

#: Taken in one turn of what has many lines: less than 3,000 chunks.
STEP_BYTES = 16 * 1024


def has_many_lines(data: bytes) -> bool:
    """Tell whether it may be a body in tiny chunks, or many requests."""
    return data.count(b"\r\n") > MAX_LINES


@implementer(IPushProducer)
@attrs.define(eq=False)
class Steps:
    """Holds back what has come, and the connection while there is any of it.

    :param network: is paused and resumed.
    :param process: is called with what was held back, in a turn of its own.
    :param is_expensive: tells whether all of what has come would hold a turn for long.
    :param step_bytes: taken in one turn of what is.
    """

    _clock: IReactorTime
    _network: IPushProducer
    _process: Callable[[bytes], None]
    _is_expensive: Callable[[bytes], bool] = has_many_lines
    _step_bytes: int = STEP_BYTES
    _backlog: bytes = b""
    _offset: int = 0
    _call: IDelayedCall | None = None
    _is_paused: bool = False
    _is_suspended: bool = False

    @property
    def has_backlog(self) -> bool:
        """Tell whether some is held back, which all that comes has to wait for."""
        return bool(self._backlog)

    def take_now(self, data: bytes) -> bytes:
        """Give as much as may be taken in this turn; the rest is held back."""
        if len(data) <= self._step_bytes or not self._is_expensive(data):
            return data
        self.add(data[self._step_bytes :])
        return data[: self._step_bytes]

    def add(self, data: bytes) -> None:
        """Hold something back, after all that is held back already."""
        self._hold(self._backlog[self._offset :] + data)

    def put_back(self, data: bytes) -> None:
        """Hold back what was taken too early, before all that is held back already."""
        if data:
            self._hold(data + self._backlog[self._offset :])

    def suspend(self) -> None:
        """Take nothing more of what is held back, until :meth:`resume`."""
        self._is_suspended = True
        call, self._call = self._call, None
        if call is not None:
            call.cancel()

    def resume(self) -> None:
        """Take what is held back, in turns; the connection is held as long."""
        self._is_suspended = False
        if self._backlog:
            self._hold(self._backlog[self._offset :])

    def _hold(self, data: bytes) -> None:
        self._backlog, self._offset = data, 0
        self._network.pauseProducing()
        if self._call is None and not self._is_suspended:
            self._call = self._clock.callLater(0, self._turn)

    def stop(self) -> None:
        """Forget what is held back: the connection has gone."""
        self._backlog, self._offset = b"", 0
        call, self._call = self._call, None
        if call is not None:
            call.cancel()

    def pauseProducing(self) -> None:
        """Hold the connection back, whatever else would."""
        self._is_paused = True
        self._network.pauseProducing()

    def resumeProducing(self) -> None:
        """Let the connection go on, once nothing is held back here."""
        self._is_paused = False
        if not self._backlog and not self._is_suspended:
            self._network.resumeProducing()

    def stopProducing(self) -> None:
        """Give the connection up."""
        self._network.stopProducing()

    def _turn(self) -> None:
        self._call = None
        begin, self._offset = self._offset, self._offset + self._step_bytes
        data = self._backlog[begin : self._offset]
        if self._offset < len(self._backlog):
            self._call = self._clock.callLater(0, self._turn)
        else:
            self._backlog, self._offset = b"", 0
        self._process(data)
        if not (self._backlog or self._is_paused or self._is_suspended):
            self._network.resumeProducing()
