"""Responses whose body is discarded, or whose end is reported."""

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
    """A response with status and headers, and an empty body.

    The connection is free for other requests, such as for a token.
    """

    original: IResponse

    def deliverBody(self, protocol: IProtocol) -> None:
        """Deliver an empty body."""
        protocol.makeConnection(None)  # type: ignore[arg-type]
        protocol.connectionLost(Failure(ResponseDone()))


def drain(response: IResponse, clock: IReactorTime) -> IResponse:
    """Discard the body of a response; return the response without it."""
    discard(response, clock)
    spent: IResponse = DrainedResponse(response)
    return spent


class WatchedResponse(proxyForInterface(IResponse)):  # type: ignore[misc]
    """A response that reports the end of its body, complete or not.

    :param on_end: is called once, at the end.
    """

    original: IResponse
    _on_end: Callable[[], None]

    def __init__(self, original: IResponse, on_end: Callable[[], None]) -> None:
        super().__init__(original)
        self._on_end = on_end

    def deliverBody(self, protocol: IProtocol) -> None:
        """Deliver the body to a protocol, and report its end."""
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
