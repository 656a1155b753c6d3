"""Connect only to permitted addresses; see :mod:`txregistry.spec.targets`.

Addresses are checked and not names, as a name may resolve to another address a moment
later (DNS rebinding). A name is resolved once, and the connection goes to the addresses
that were checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import attrs
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import DNSLookupError
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IHostnameResolver,
    IHostResolution,
    IProtocol,
    IProtocolFactory,
    IReactorPluggableNameResolver,
    IResolutionReceiver,
    IStreamClientEndpoint,
)
from twisted.logger import Logger
from twisted.web.client import URI
from twisted.web.iweb import IAgentEndpointFactory, IPolicyForHTTPS
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.remote.failures import TargetRefused
from txregistry.remote.origin import Origin
from txregistry.spec.targets import Reach, TrustedTarget, may_redirect, reach_of

_Addresses = Sequence[IPv4Address | IPv6Address]


@implementer(IResolutionReceiver)
@attrs.define(eq=False)
class _Receiver:
    """Collects the addresses of a name; ``done`` fires with them."""

    done: Deferred[_Addresses] = attrs.field(factory=Deferred)
    _found: list[IPv4Address | IPv6Address] = attrs.field(factory=list)

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        """Do nothing."""

    def addressResolved(self, address: IAddress) -> None:
        if isinstance(address, IPv4Address | IPv6Address):
            self._found.append(address)

    def resolutionComplete(self) -> None:
        self.done.callback(self._found)


@deferred
async def resolve(reactor: Any, host: str, port: int) -> _Addresses:
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
class _FixedResolver:
    """A resolver that returns the checked addresses."""

    _addresses: _Addresses

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        resolution = _FinishedResolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)
        for address in self._addresses:
            resolutionReceiver.addressResolved(address)
        resolutionReceiver.resolutionComplete()
        return resolution


@implementer(IReactorPluggableNameResolver)
@attrs.define(eq=False)
class _PinnedReactor:
    """The part of a reactor that ``HostnameEndpoint`` needs, with another resolver."""

    _reactor: Any
    nameResolver: IHostnameResolver

    def installNameResolver(self, resolver: IHostnameResolver) -> IHostnameResolver:
        before, self.nameResolver = self.nameResolver, resolver
        return before

    def connectTCP(self, *args: Any, **kwargs: Any) -> Any:
        return self._reactor.connectTCP(*args, **kwargs)

    def callLater(self, delay: float, call: Callable[..., object]) -> IDelayedCall:
        found: IDelayedCall = self._reactor.callLater(delay, call)
        return found

    def seconds(self) -> float:
        now: float = self._reactor.seconds()
        return now


@attrs.define(eq=False)
class Targets:
    """Decides which addresses redirects and token services of an upstream may have.

    The upstream and other origins in the configuration may have any address.

    :param trusted: ``proxy.trustedtargets``.
    :param named: origins in the configuration.
    :ivar upstream_reach: from where the upstream can be reached, as far as seen: the
        farthest counts, lest an upstream becomes private by what its name stands for.
    """

    _reactor: Any
    _upstream: Origin
    _trusted: Sequence[TrustedTarget] = ()
    _named: frozenset[Origin] = frozenset()
    upstream_reach: Reach | None = None
    _log = Logger()

    @deferred
    async def look_up(self, origin: Origin) -> _Addresses:
        """Resolve an origin.

        :return: fires with its permitted addresses. Fails with :class:`TargetRefused`
            if there are none, or with ``DNSLookupError``.
        """
        found = await resolve(self._reactor, origin.host, origin.port)
        if origin == self._upstream:
            self._record_reach(found)
            return found
        if origin in self._named:
            return found
        upstream_reach = await self._find_upstream_reach()
        allowed = [
            item for item in found if self._permits(upstream_reach, origin, item.host)
        ]
        if not allowed:
            raise self._refuse(origin, found[0].host)
        return allowed

    @deferred
    async def check_literal(self, origin: Origin) -> None:
        """Check an origin whose name a proxy will resolve.

        :return: fires if its host is a name or a permitted address; fails with
            :class:`TargetRefused`.
        """
        if origin == self._upstream or origin in self._named:
            return
        try:
            reach_of(origin.host)
        except ValueError:
            return
        if not self._permits(await self._find_upstream_reach(), origin, origin.host):
            raise self._refuse(origin, origin.host)

    @deferred
    async def _find_upstream_reach(self) -> Reach:
        if self.upstream_reach is None:
            upstream = self._upstream
            try:
                found = await resolve(self._reactor, upstream.host, upstream.port)
            except DNSLookupError:
                return Reach.PUBLIC  # only an egress proxy can resolve it
            self._record_reach(found)
        return Reach.PUBLIC if self.upstream_reach is None else self.upstream_reach

    def _record_reach(self, addresses: _Addresses) -> None:
        seen = [reach_of(item.host) for item in addresses]
        self.upstream_reach = max(self.upstream_reach or Reach.LINK_LOCAL, *seen)

    def _permits(self, upstream_reach: Reach, origin: Origin, address: str) -> bool:
        return may_redirect(
            upstream_reach, origin.host, origin.port, address, self._trusted
        )

    def _refuse(self, origin: Origin, address: str) -> TargetRefused:
        """Log a refused address; return the error for it."""
        self._log.warn(
            "upstream {upstream} redirects to {target} at {address}, which is not "
            "permitted; the request fails; to permit it, list it under "
            "proxy.trustedtargets",
            upstream=self._upstream.authority,
            target=origin.authority[:200],
            address=address,
        )
        detail = {
            "upstream": self._upstream.authority,
            "reason": "redirects to an address that is not trusted",
        }
        return TargetRefused(detail)


def make_targets(
    reactor: Any,
    upstream: str,
    trusted: Iterable[str] = (),
    realms: Iterable[str] = (),
) -> Targets:
    """Make the targets of one upstream from the configuration.

    :param upstream: its URL.
    :param trusted: ``proxy.trustedtargets``.
    :param realms: ``proxy.trustedrealms``, which may have any address.
    :raise ValueError: an entry is malformed.
    """
    named = [realm if "://" in realm else f"https://{realm}" for realm in realms]
    return Targets(
        reactor,
        Origin.of(upstream),
        tuple(TrustedTarget.parse(entry) for entry in trusted),
        frozenset(Origin.of(realm) for realm in named),
    )


@implementer(IStreamClientEndpoint)
@attrs.define(eq=False)
class CheckedEndpoint:
    """Connects to the permitted addresses of an origin.

    :param seconds: time limit for connecting.
    """

    _reactor: Any
    _targets: Targets
    _origin: Origin
    _seconds: float

    @deferred
    async def connect(self, protocolFactory: IProtocolFactory) -> IProtocol:
        """Connect.

        :return: fires with the protocol. Fails as :meth:`Targets.look_up`, or as
            connecting fails.
        """
        addresses = await self._targets.look_up(self._origin)
        reactor = _PinnedReactor(self._reactor, _FixedResolver(addresses))
        host, port = self._origin.host, self._origin.port
        return await HostnameEndpoint(reactor, host, port, self._seconds).connect(
            protocolFactory
        )


@implementer(IAgentEndpointFactory)
@attrs.define(eq=False)
class CheckedEndpoints:
    """Makes endpoints whose addresses are checked when they connect."""

    _reactor: Any
    _policy: IPolicyForHTTPS
    _connect_seconds: float
    _targets: Targets

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """Return the endpoint of a URI, with TLS for https."""
        origin = Origin.of(uri.toBytes().decode("ascii"))
        plain = CheckedEndpoint(
            self._reactor, self._targets, origin, self._connect_seconds
        )
        if origin.scheme == "http":
            return plain
        return wrapClientTLS(self._policy.creatorForNetloc(uri.host, uri.port), plain)
