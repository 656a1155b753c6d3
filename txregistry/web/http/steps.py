"""Processes an expensive read in steps, in a reactor turn each.

A read may return three megabytes of a body. In chunks of one byte these are half a
million chunks, and parsing them would block the reactor for seconds; 64 KiB can contain
two thousand pipelined requests. The rest of such a read is the backlog, and reading is
paused until it is processed.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from zope.interface import implementer

#: Lines of a read that is processed at once. A chunk has two; random bytes have one in
#: 64 KiB.
MAX_LINES = 1024

#: Bytes of a step: less than 3,000 chunks.
STEP_BYTES = 16 * 1024


def has_many_lines(data: bytes) -> bool:
    """Tell whether a read may be a body in tiny chunks, or many requests."""
    return data.count(b"\r\n") > MAX_LINES


@implementer(IPushProducer)
@attrs.define(eq=False)
class Steps:
    """The backlog of a connection; the connection is paused while there is any.

    As a producer it stands in for the connection: resuming it resumes the connection
    only once the backlog is processed.

    :param network: the connection, to be paused and resumed.
    :param process: is called with each step of the backlog, in a turn of its own.
    :param is_expensive: tells whether a read is too long for one reactor turn.
    :param step_bytes: bytes of one step.
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
        """Tell whether there is a backlog: new bytes have to be added to it."""
        return bool(self._backlog)

    def take_now(self, data: bytes) -> bytes:
        """Return the part of a read to process now; the rest joins the backlog."""
        if len(data) <= self._step_bytes or not self._is_expensive(data):
            return data
        self.add(data[self._step_bytes :])
        return data[: self._step_bytes]

    def add(self, data: bytes) -> None:
        """Append to the backlog."""
        self._hold(self._backlog[self._offset :] + data)

    def put_back(self, data: bytes) -> None:
        """Put bytes back at the front of the backlog."""
        if data:
            self._hold(data + self._backlog[self._offset :])

    def suspend(self) -> None:
        """Stop processing the backlog, until :meth:`resume`."""
        self._is_suspended = True
        call, self._call = self._call, None
        if call is not None:
            call.cancel()

    def resume(self) -> None:
        """Process the backlog again."""
        self._is_suspended = False
        if self._backlog:
            self._hold(self._backlog[self._offset :])

    def _hold(self, data: bytes) -> None:
        self._backlog, self._offset = data, 0
        self._network.pauseProducing()
        if self._call is None and not self._is_suspended:
            self._call = self._clock.callLater(0, self._turn)

    def stop(self) -> None:
        """Discard the backlog: the connection is gone."""
        self._backlog, self._offset = b"", 0
        call, self._call = self._call, None
        if call is not None:
            call.cancel()

    def pauseProducing(self) -> None:
        """Pause the connection, with or without a backlog."""
        self._is_paused = True
        self._network.pauseProducing()

    def resumeProducing(self) -> None:
        """Resume the connection, as soon as there is no backlog."""
        self._is_paused = False
        if not self._backlog and not self._is_suspended:
            self._network.resumeProducing()

    def stopProducing(self) -> None:
        """Stop the connection."""
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
