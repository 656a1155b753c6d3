"""Connect only to permitted addresses; see :mod:`txregistry.spec.targets`.

Addresses are checked and not names, as a name may resolve to another address a moment
later (DNS rebinding). A name is resolved once, and the connection goes to the addresses
that were checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import attrs
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import DNSLookupError
from twisted.internet.interfaces import (
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.logger import Logger
from twisted.web.client import URI
from twisted.web.iweb import IAgentEndpointFactory, IPolicyForHTTPS
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.remote.failures import TargetRefused
from txregistry.remote.origin import Origin
from txregistry.remote.resolving import (
    Addresses,
    FixedResolver,
    PinnedReactor,
    resolve,
)
from txregistry.spec.targets import Reach, TrustedTarget, may_redirect, reach_of
from txregistry.speed.tls import TlsClientEndpoint


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
    async def look_up(self, origin: Origin) -> Addresses:
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

    def _record_reach(self, addresses: Addresses) -> None:
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
        reactor = PinnedReactor(self._reactor, FixedResolver(addresses))
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
        creator = self._policy.creatorForNetloc(uri.host, uri.port)
        return TlsClientEndpoint(creator, plain)
