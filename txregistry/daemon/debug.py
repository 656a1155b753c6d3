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


class _Limited(ProtocolWrapper):
    """A connection that is cut off after a time, whatever is under way."""

    _limit: Any = None

    def makeConnection(self, transport: ITransport) -> None:
        """Count from now."""
        clock: IReactorTime = self.factory.clock
        cut = cast(ITCPTransport, transport).abortConnection
        self._limit = clock.callLater(MOST_SECONDS, cut)
        super().makeConnection(transport)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Count no more."""
        if self._limit.active():
            self._limit.cancel()
        super().connectionLost(reason)


class LimitedFactory(WrappingFactory):
    """Wraps a factory so that none of its connections lasts for ever."""

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
