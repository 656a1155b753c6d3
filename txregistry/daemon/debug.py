"""The debug listener."""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.interfaces import (
    IProtocolFactory,
    IReactorTime,
    ITCPTransport,
    ITransport,
)
from twisted.internet.protocol import connectionDone
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web.resource import IResource
from twisted.web.server import Site

#: Seconds that one connection may last: whoever sends a byte now and then would keep it
#: for ever otherwise.
MOST_SECONDS = 600.0

#: Bytes that one connection may send, as bodies would be kept whole; and heads within
#: one read, as all of them are answered in one turn, whoever reads the answers.
MOST_BYTES, MOST_HEADS = 1024 * 1024, 8

#: Connections at a time; those there are end by themselves.
MOST_CONNECTIONS = 100


class _Limited(ProtocolWrapper):
    """A connection that is cut off after a time, and after a number of bytes."""

    _limit: Any = None
    _received = 0

    def makeConnection(self, transport: ITransport) -> None:
        """Count from now; one connection too many ends at once."""
        clock: IReactorTime = self.factory.clock
        is_full = len(self.factory.protocols) >= MOST_CONNECTIONS
        cut = cast(ITCPTransport, transport).abortConnection
        self._limit = clock.callLater(0.0 if is_full else MOST_SECONDS, cut)
        super().makeConnection(transport)

    def dataReceived(self, data: bytes) -> None:
        """Pass on what comes, up to the limit."""
        self._received += len(data)
        if self._received > MOST_BYTES or data.count(b"\n\r\n") > MOST_HEADS:
            cast(ITCPTransport, self.transport).abortConnection()
        else:
            super().dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Count no more."""
        if self._limit.active():
            self._limit.cancel()
        super().connectionLost(reason)


class LimitedFactory(WrappingFactory):
    """Wraps a factory so that its connections, and what each may take, are limited."""

    protocol = _Limited
    noisy = False

    def __init__(self, factory: IProtocolFactory, clock: IReactorTime) -> None:
        super().__init__(factory)
        self.clock = clock


class DebugSite(Site):
    """The debug listener's site; it keeps no log of its own."""

    noisy = False

    def __init__(self, resource: IResource) -> None:
        super().__init__(resource)

    def log(self, request: Any) -> None:
        """Write nothing."""
