"""A reactor in memory that is the same with every Twisted that we permit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet import testing
from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IHostResolution,
    IReactorPluggableNameResolver,
    IResolutionReceiver,
)
from zope.interface import implementer


@implementer(IHostnameResolver)
class LiteralResolver:
    """Gives each address as itself, at once; there are no names."""

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        resolution: Any = None
        resolutionReceiver.resolutionBegan(resolution)
        resolutionReceiver.addressResolved(IPv4Address("TCP", hostName, portNumber))
        resolutionReceiver.resolutionComplete()
        return resolution


@implementer(IReactorPluggableNameResolver)
class MemoryReactorClock(testing.MemoryReactorClock):
    """Connects to addresses at once, as the one of a newer Twisted does.

    The one of Twisted 24.11 resolves no names, for which endpoints then use threads.
    """

    def __init__(self) -> None:
        super().__init__()
        self.nameResolver: Any = LiteralResolver()

    def installNameResolver(self, resolver: IHostnameResolver) -> IHostnameResolver:
        before, self.nameResolver = self.nameResolver, resolver
        return before
