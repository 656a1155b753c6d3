"""Discard response bodies that are not needed."""

from __future__ import annotations

import attrs
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.iweb import UNKNOWN_LENGTH, IResponse

from txregistry.flow.streams import Watchdog

#: Bytes of an unneeded body that are read so that its connection can be reused; for
#: longer bodies, closing the connection is cheaper.
_DISCARD_BYTES = 64 * 1024


@attrs.define(eq=False, slots=False)
class _Discard(Protocol):
    """Reads a body up to the limit, then closes the connection.

    :ivar _size: bytes that count as read; for a body that is known to be longer than
        the limit, the limit, so that its first byte closes the connection.
    """

    _clock: IReactorTime
    _size: int = 0

    def connectionMade(self) -> None:
        self._timer = Watchdog(self._clock, 5.0, self._close)
        self._timer.arm()

    def dataReceived(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > _DISCARD_BYTES:
            self._close()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._timer.disarm()

    def _close(self) -> None:
        if self.transport is not None:
            self.transport.loseConnection()


def discard(response: IResponse, clock: IReactorTime) -> None:
    """Discard a response body.

    The connection is kept for reuse if the body is at most 64 KiB long and arrives
    within five seconds; otherwise it is closed.
    """
    is_long = response.length is not UNKNOWN_LENGTH and response.length > _DISCARD_BYTES
    response.deliverBody(_Discard(clock, _DISCARD_BYTES if is_long else 0))
