"""Resolve a host once, and connect to the addresses that were found and no others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.error import DNSLookupError
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IHostnameResolver,
    IHostResolution,
    IReactorPluggableNameResolver,
    IResolutionReceiver,
)
from zope.interface import implementer

from txregistry.flow.deferred import deferred

Addresses = Sequence[IPv4Address | IPv6Address]


@implementer(IResolutionReceiver)
@attrs.define(eq=False)
class _Receiver:
    """Collects the addresses of a name; ``done`` fires with them."""

    done: Deferred[Addresses] = attrs.field(factory=Deferred)
    _found: list[IPv4Address | IPv6Address] = attrs.field(factory=list)

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        """Do nothing."""

    def addressResolved(self, address: IAddress) -> None:
        if isinstance(address, IPv4Address | IPv6Address):
            self._found.append(address)

    def resolutionComplete(self) -> None:
        self.done.callback(self._found)


@deferred
async def resolve(reactor: Any, host: str, port: int) -> Addresses:
    """Resolve a host.

    :param host: a name or an address.
    :return: fires with its addresses; fails with ``DNSLookupError`` if it has none.
    """
    _check_name(host)
    receiver = _Receiver()
    reactor.nameResolver.resolveHostName(receiver, host, port)
    found = await receiver.done
    if not found:
        raise DNSLookupError(f"{host[:100]} has no addresses")
    return found


def _check_name(host: str) -> None:
    """Refuse an invalid name, for which Twisted's resolver would never fire."""
    try:
        host.encode("idna")
    except UnicodeError as error:
        raise DNSLookupError(f"{host[:100]} is not a valid host name") from error


@implementer(IHostResolution)
@attrs.frozen
class _FinishedResolution:
    """A resolution that has ended."""

    name: str

    def cancel(self) -> None:
        """Do nothing."""


@implementer(IHostnameResolver)
@attrs.frozen
class FixedResolver:
    """A resolver that returns the checked addresses."""

    _addresses: Addresses

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        """Give them all at once, whatever the name."""
        resolution = _FinishedResolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)
        for address in self._addresses:
            resolutionReceiver.addressResolved(address)
        resolutionReceiver.resolutionComplete()
        return resolution


@implementer(IReactorPluggableNameResolver)
@attrs.define(eq=False)
class PinnedReactor:
    """The part of a reactor that ``HostnameEndpoint`` needs, with another resolver."""

    _reactor: Any
    nameResolver: IHostnameResolver

    def installNameResolver(self, resolver: IHostnameResolver) -> IHostnameResolver:
        """Use another resolver; return the one before."""
        before, self.nameResolver = self.nameResolver, resolver
        return before

    def connectTCP(self, *args: Any, **kwargs: Any) -> Any:
        """Connect as the reactor does."""
        return self._reactor.connectTCP(*args, **kwargs)

    def callLater(self, delay: float, call: Callable[..., object]) -> IDelayedCall:
        """Call later as the reactor does."""
        found: IDelayedCall = self._reactor.callLater(delay, call)
        return found

    def seconds(self) -> float:
        """Return the reactor's time."""
        now: float = self._reactor.seconds()
        return now
