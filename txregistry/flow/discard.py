"""Get rid of the bodies of answers that nobody wants to read."""

from __future__ import annotations

import attrs
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.iweb import UNKNOWN_LENGTH, IResponse

from txregistry.flow.streams import Watchdog

#: The body of an answer that nobody wants is read up to this, so that the
#: connection can serve again; past it, closing is cheaper.
_DISCARD_BYTES = 64 * 1024


@attrs.define(eq=False, slots=False)
class _Discard(Protocol):
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
    """Get rid of a body that nobody wants, and keep the connection if that is cheap."""
    protocol = _Discard(clock)
    if response.length is not UNKNOWN_LENGTH and response.length > _DISCARD_BYTES:
        protocol.dataReceived = lambda data: protocol._close()  # type: ignore[method-assign]
    response.deliverBody(protocol)
