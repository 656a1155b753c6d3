"""Connect where an upstream sends us, if it may; see :mod:`txregistry.spec.targets`.

The decision is about an address and not about a name, since a name may stand for
another address a moment later: a name is resolved once, and the connection goes to the
addresses that were looked at.
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
    """Collects the addresses of a name."""

    done: Deferred[_Addresses] = attrs.field(factory=Deferred)
    _found: list[IPv4Address | IPv6Address] = attrs.field(factory=list)

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        """Need nothing of it."""

    def addressResolved(self, address: IAddress) -> None:
        if isinstance(address, IPv4Address | IPv6Address):
            self._found.append(address)

    def resolutionComplete(self) -> None:
        self.done.callback(self._found)


@deferred
async def resolve(reactor: Any, host: str, port: int) -> _Addresses:
    """Fire with the addresses of a host; fail with ``DNSLookupError`` if it has none.

    :param host: a name or an address.
    """
    _check_name(host)
    receiver = _Receiver()
    reactor.nameResolver.resolveHostName(receiver, host, port)
    found = await receiver.done
    if not found:
        raise DNSLookupError(f"no addresses of {host[:100]}")
    return found


def _check_name(host: str) -> None:
    """Spare the resolver what cannot be a name: it never answers about such a one."""
    try:
        host.encode("idna")
    except UnicodeError as error:
        raise DNSLookupError(f"{host[:100]} is no name of a host") from error


@implementer(IHostResolution)
@attrs.frozen
class _Resolution:
    """A resolution that is over."""

    name: str

    def cancel(self) -> None:
        """Have nothing to cancel."""


@implementer(IHostnameResolver)
@attrs.frozen
class _Resolved:
    """Gives the addresses that were looked at, and asks nobody."""

    _addresses: _Addresses

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        resolution = _Resolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)
        for address in self._addresses:
            resolutionReceiver.addressResolved(address)
        resolutionReceiver.resolutionComplete()
        return resolution


@implementer(IReactorPluggableNameResolver)
@attrs.define(eq=False)
class _Connector:
    """The part of a reactor that an endpoint needs, with a resolver of ours."""

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
    """Decides to which addresses an upstream may lead.

    The upstream itself may be anywhere, and so may what the configuration names: it is
    where whoever runs this wants us to ask.

    :param named: origins that the configuration names.
    :ivar home: from where the upstream can be reached, as far as that was seen: the
        farthest counts, lest an upstream becomes private by what its name stands for.
    """

    _reactor: Any
    _upstream: Origin
    _trusted: Sequence[TrustedTarget] = ()
    _named: frozenset[Origin] = frozenset()
    home: Reach | None = None
    _log = Logger()

    @deferred
    async def look_up(self, origin: Origin) -> _Addresses:
        """Fire with the addresses of a host to which we may connect.

        :return: fails with :class:`TargetRefused` if there are only others, or with
            ``DNSLookupError``.
        """
        found = await resolve(self._reactor, origin.host, origin.port)
        if origin == self._upstream:
            self._learn(found)
            return found
        if origin in self._named:
            return found
        home = await self._home()
        allowed = [item for item in found if self._permits(home, origin, item.host)]
        if not allowed:
            raise self._refused(origin, found[0].host)
        return allowed

    @deferred
    async def check_literal(self, origin: Origin) -> None:
        """Look at a host that somebody else resolves; only an address can be judged.

        :return: fires if we may ask for it; fails with :class:`TargetRefused`.
        """
        if origin == self._upstream or origin in self._named:
            return
        try:
            reach_of(origin.host)
        except ValueError:
            return
        if not self._permits(await self._home(), origin, origin.host):
            raise self._refused(origin, origin.host)

    @deferred
    async def _home(self) -> Reach:
        if self.home is None:
            upstream = self._upstream
            try:
                found = await resolve(self._reactor, upstream.host, upstream.port)
            except DNSLookupError:
                return Reach.PUBLIC  # reached by a proxy, which knows its address
            self._learn(found)
        return Reach.PUBLIC if self.home is None else self.home

    def _learn(self, addresses: _Addresses) -> None:
        seen = [reach_of(item.host) for item in addresses]
        self.home = max(self.home or Reach.LINK_LOCAL, *seen)

    def _permits(self, home: Reach, origin: Origin, address: str) -> bool:
        return may_redirect(home, origin.host, origin.port, address, self._trusted)

    def _refused(self, origin: Origin, address: str) -> TargetRefused:
        self._log.warn(
            "{upstream} leads to {target} at {address}, where it may not lead; "
            "if it is right, list it under proxy.trustedtargets",
            upstream=self._upstream.authority,
            target=origin.authority[:200],
            address=address,
        )
        facts = {
            "upstream": self._upstream.authority,
            "reason": "leads to an address that is not trusted",
        }
        return TargetRefused(facts)


def make_targets(
    reactor: Any,
    upstream: str,
    trusted: Iterable[str] = (),
    realms: Iterable[str] = (),
) -> Targets:
    """Make the decider for one upstream.

    :param trusted: ``proxy.trustedtargets``.
    :param realms: ``proxy.trustedrealms``, whose hosts the configuration names.
    :raise ValueError: an entry of ``trusted`` is none.
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
    """Connects to a host, at the addresses at which it may be asked."""

    _reactor: Any
    _targets: Targets
    _origin: Origin
    _seconds: float

    @deferred
    async def connect(self, protocolFactory: IProtocolFactory) -> IProtocol:
        """Connect; fail as :meth:`Targets.look_up` or as connecting fails."""
        addresses = await self._targets.look_up(self._origin)
        connector = _Connector(self._reactor, _Resolved(addresses))
        host, port = self._origin.host, self._origin.port
        return await HostnameEndpoint(connector, host, port, self._seconds).connect(
            protocolFactory
        )


@implementer(IAgentEndpointFactory)
@attrs.define(eq=False)
class CheckedEndpoints:
    """Endpoints for URIs, each looked at before it is connected to."""

    _reactor: Any
    _policy: IPolicyForHTTPS
    _connect_seconds: float
    _targets: Targets

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """Give the endpoint of a URI, with TLS if its scheme says so."""
        origin = Origin.of(uri.toBytes().decode("ascii"))
        plain = CheckedEndpoint(
            self._reactor, self._targets, origin, self._connect_seconds
        )
        if origin.scheme == "http":
            return plain
        return wrapClientTLS(self._policy.creatorForNetloc(uri.host, uri.port), plain)
