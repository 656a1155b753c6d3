"""Answers whose bodies were got rid of already, or are watched."""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.internet.interfaces import IProtocol, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.components import proxyForInterface
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.iweb import IResponse

from txregistry.flow.discard import discard


class DrainedResponse(proxyForInterface(IResponse)):  # type: ignore[misc]
    """An answer of which only status and headers are left.

    Its connection serves again while something else is asked on its account.
    """

    original: IResponse

    def deliverBody(self, protocol: IProtocol) -> None:
        """Deliver nothing: an empty body that has ended."""
        protocol.makeConnection(None)  # type: ignore[arg-type]
        protocol.connectionLost(Failure(ResponseDone()))


def drain(response: IResponse, clock: IReactorTime) -> IResponse:
    """Get rid of the body of an answer that may still be told."""
    discard(response, clock)
    spent: IResponse = DrainedResponse(response)
    return spent


class WatchedResponse(proxyForInterface(IResponse)):  # type: ignore[misc]
    """An answer that tells when its body has ended, however it ends."""

    original: IResponse
    _on_end: Callable[[], None]

    def __init__(self, original: IResponse, on_end: Callable[[], None]) -> None:
        super().__init__(original)
        self._on_end = on_end

    def deliverBody(self, protocol: IProtocol) -> None:
        """Deliver the body to a protocol, and tell when it is over."""
        self.original.deliverBody(_WatchingProtocol(protocol, self._on_end))


@attrs.define(eq=False, slots=False)
class _WatchingProtocol(Protocol):
    _inner: IProtocol
    _on_end: Callable[[], None]

    def connectionMade(self) -> None:
        assert self.transport is not None
        self._inner.makeConnection(self.transport)

    def dataReceived(self, data: bytes) -> None:
        self._inner.dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._on_end()
        self._inner.connectionLost(reason)
