"""Reach an upstream through an HTTP proxy: by absolute URI, or by CONNECT for https.

See RFC 9112, 3.2.2, and RFC 9110, 9.3.6.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import (
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import URI, Agent, HTTPConnectionPool, ProxyAgent
from twisted.web.http_headers import Headers
from twisted.web.iweb import (
    IAgent,
    IAgentEndpointFactory,
    IBodyProducer,
    IPolicyForHTTPS,
    IResponse,
)
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.remote.bypass import Bypass
from txregistry.remote.origin import Origin
from txregistry.remote.targets import Targets
from txregistry.remote.variables import ProxyAddress
from txregistry.speed.tls import TlsClientEndpoint

#: Longest head of a proxy's response to CONNECT, in bytes.
_MAX_HEAD_BYTES = 16 * 1024


class TunnelRefused(ConnectError):
    """The proxy refused a tunnel."""


@attrs.define(eq=False, slots=False)
class _Tunnel(Protocol):
    """Sends CONNECT, and passes the connection to another protocol on 200.

    :ivar ready: fires when the proxy has agreed; fails with :class:`TunnelRefused`.
    """

    _authority: str
    _authorization: str | None
    ready: Deferred[_Tunnel]
    _head: bytes = b""
    _inner: Any = None
    _cancelled: bool = False

    def connectionMade(self) -> None:
        lines = [
            f"CONNECT {self._authority} HTTP/1.1",
            f"Host: {self._authority}",
        ]
        if self._authorization is not None:
            lines.append(f"Proxy-Authorization: {self._authorization}")
        assert self.transport is not None
        self.transport.write("\r\n".join([*lines, "", ""]).encode("ascii"))

    def dataReceived(self, data: bytes) -> None:
        if self._inner is not None:
            self._inner.dataReceived(data)
            return
        self._head += data
        head, end, rest = self._head.partition(b"\r\n\r\n")
        if not end and len(self._head) <= _MAX_HEAD_BYTES:
            return
        words = head.split(b" ", 2)
        if not end or len(words) < 2 or words[1] != b"200" or rest:
            self._refuse("the egress proxy refused the connection")
            return
        self.ready.callback(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._inner is not None:
            self._inner.connectionLost(reason)
        elif not self.ready.called:
            self._refuse("the egress proxy closed the connection")

    def start(self, factory: IProtocolFactory) -> IProtocol:
        """Pass the connection to a protocol of the factory."""
        assert self.transport is not None
        protocol = factory.buildProtocol(self.transport.getPeer())
        assert protocol is not None
        self._inner = protocol
        protocol.makeConnection(self.transport)
        return protocol

    def cancel(self) -> None:
        """Close the connection, without an error for the cancelled Deferred."""
        self._cancelled = True
        if self.transport is not None:
            self.transport.loseConnection()

    def _refuse(self, reason: str) -> None:
        if self.transport is not None:
            self.transport.loseConnection()
        if not self.ready.called and not self._cancelled:
            self.ready.errback(TunnelRefused(string=reason))


@implementer(IStreamClientEndpoint)
@attrs.define(eq=False)
class TunnelEndpoint:
    """An endpoint that connects by CONNECT through a proxy.

    :param authority: ``host:port`` of the target.
    """

    _proxy: IStreamClientEndpoint
    _authority: str
    _authorization: str | None

    @deferred
    async def connect(self, protocolFactory: IProtocolFactory) -> IProtocol:
        """Connect.

        :return: fires with the protocol. Fails with :class:`TunnelRefused`, or as
            connecting to the proxy fails.
        """
        ready: Deferred[_Tunnel] = Deferred(lambda _: tunnel.cancel())
        tunnel = _Tunnel(self._authority, self._authorization, ready)
        await self._proxy.connect(Factory.forProtocol(lambda: tunnel))
        return (await ready).start(protocolFactory)


@implementer(IAgentEndpointFactory)
@attrs.define(eq=False)
class _Tunnels:
    """Endpoints for https URIs: TLS in a tunnel through the proxy."""

    _reactor: Any
    _policy: IPolicyForHTTPS
    _connect_seconds: float
    _proxy: ProxyAddress

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        proxy = HostnameEndpoint(
            self._reactor, self._proxy.host, self._proxy.port, self._connect_seconds
        )
        host = uri.host.decode("ascii")
        authority = f"[{host}]:{uri.port}" if ":" in host else f"{host}:{uri.port}"
        tunnel = TunnelEndpoint(proxy, authority, self._proxy.authorization)
        creator = self._policy.creatorForNetloc(uri.host, uri.port)
        return TlsClientEndpoint(creator, tunnel)


@implementer(IAgent)
@attrs.define(eq=False)
class ProxiedAgent:
    """Send each request directly, or through the proxy of its scheme.

    A proxy resolves names itself and must limit what it connects to. Only a URL whose
    host is an address is checked here, see :meth:`Targets.check_literal`.
    """

    _direct: IAgent
    _reactor: Any
    _policy: IPolicyForHTTPS
    _connect_seconds: float
    _proxies: Mapping[str, ProxyAddress]
    _bypass: Bypass
    _pool: HTTPConnectionPool
    _targets: Targets
    _agents: dict[str, IAgent] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        # Made once, as the endpoint is part of the pool's key for connections.
        self._agents = {
            scheme: self._agent(scheme, proxy)
            for scheme, proxy in self._proxies.items()
        }

    def _agent(self, scheme: str, proxy: ProxyAddress) -> IAgent:
        if scheme == "https":
            tunnels = _Tunnels(
                self._reactor, self._policy, self._connect_seconds, proxy
            )
            direct: IAgent = Agent.usingEndpointFactory(
                self._reactor, tunnels, self._pool
            )
            return direct
        endpoint = HostnameEndpoint(
            self._reactor, proxy.host, proxy.port, self._connect_seconds
        )
        by_proxy: IAgent = ProxyAgent(endpoint, self._reactor, self._pool)
        return by_proxy

    @deferred
    async def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> IResponse:
        """Send a request directly or through a proxy, as the environment says.

        :return: fires with the response. Fails with :class:`TargetRefused`, or as
            Twisted's agents.
        """
        origin = Origin.of(uri.decode("ascii"))
        proxy = self._proxies.get(origin.scheme)
        if proxy is None or self._bypass.covers(origin.host, origin.port):
            return await self._direct.request(method, uri, headers, bodyProducer)
        await self._targets.check_literal(origin)
        if origin.scheme == "http" and proxy.authorization is not None:
            # For https it was sent with CONNECT.
            headers = Headers() if headers is None else headers.copy()
            headers.setRawHeaders("Proxy-Authorization", [proxy.authorization])
        agent = self._agents[origin.scheme]
        answer: IResponse = await agent.request(method, uri, headers, bodyProducer)
        return answer
