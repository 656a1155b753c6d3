"""Persistent connections to the upstream, and a retry when one has died."""

from __future__ import annotations

import socket
from collections.abc import Hashable
from typing import Any, Protocol

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IReactorTime,
    IStreamClientEndpoint,
    ITCPTransport,
)
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.web.client import HTTPConnectionPool
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from txregistry.flow.deferred import deferred

#: An idle connection is closed after this many seconds. NAT gateways drop idle
#: connections after some minutes without notice.
IDLE_SECONDS = 60.0

#: A request on a reused connection is sent again on a new one if the response has not
#: begun after this many seconds, as the old connection may be dead.
REUSED_TIMEOUT_SECONDS = 5.0

#: TCP keepalive: idle seconds before the first probe, seconds between probes, and the
#: number of unanswered probes after which the connection is dead.
_KEEPALIVE = ((socket.TCP_KEEPIDLE, 20), (socket.TCP_KEEPINTVL, 10))
_KEEPALIVE_PROBES = 3


class IIdleConnections(Protocol):
    """A pool of idle connections.

    :ivar reused: the number of requests sent on a reused connection.
    """

    reused: int

    def close_idle(self) -> None:
        """Close all idle connections."""


class KeepAlivePool(HTTPConnectionPool):
    """Persistent connections with TCP keepalive; see :class:`IIdleConnections`.

    :param per_host: idle connections per host at most.
    """

    def __init__(self, reactor: Any, per_host: int) -> None:
        super().__init__(reactor, persistent=True)
        self.maxPersistentPerHost = per_host
        self.cachedConnectionTimeout = IDLE_SECONDS  # type: ignore[assignment]
        self.reused = 0
        self._made = 0

    def getConnection(
        self, key: Hashable, endpoint: IStreamClientEndpoint
    ) -> Deferred[Any]:
        """Fire with an idle connection, or a new one."""
        counted = _CountingEndpoint(endpoint, self._count_new)
        made = self._made
        found: Deferred[Any] = super().getConnection(key, counted)
        if self._made == made:
            self.reused += 1
        return found

    def close_idle(self) -> None:
        """Close all idle connections."""
        self.closeCachedConnections()

    def retire(self) -> None:
        """Close idle connections now, and the others after their response."""
        self.persistent = False
        self.cachedConnectionTimeout = 0
        self.close_idle()

    def _count_new(self) -> None:
        self._made += 1


@implementer(IStreamClientEndpoint)
@attrs.define(eq=False)
class _CountingEndpoint:
    """An endpoint that reports each connect, and enables TCP keepalive."""

    _endpoint: IStreamClientEndpoint
    _on_connect: Any

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        self._on_connect()
        return self._endpoint.connect(protocolFactory).addCallback(_set_up)


def _set_up(protocol: Any) -> Any:
    transport = protocol.transport
    while isinstance(transport, TLSMemoryBIOProtocol):
        transport = transport.transport
    if ITCPTransport.providedBy(transport):
        _keep_alive(transport)
    return protocol


def _keep_alive(transport: ITCPTransport) -> None:
    transport.setTcpKeepAlive(True)
    handle: Any = transport.getHandle()  # type: ignore[attr-defined]
    if isinstance(handle, socket.socket):
        for option, seconds in _KEEPALIVE:
            handle.setsockopt(socket.IPPROTO_TCP, option, seconds)
        handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _KEEPALIVE_PROBES)


@implementer(IAgent)
@attrs.define(eq=False)
class StaleConnectionAgent:
    """Send a request again on a new connection if a reused one does not answer.

    All our requests are safe to repeat. The retry has the full time limit of the agent
    inside, so an upstream that is just slow still has time to answer.
    """

    _agent: IAgent
    _clock: IReactorTime
    _idle: IIdleConnections

    @deferred
    async def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> IResponse:
        """Send a request, at most twice.

        :return: fires and fails as the agent inside.
        """
        before = self._idle.reused
        pending = self._agent.request(method, uri, headers, bodyProducer)
        if self._idle.reused == before:
            return await pending
        gave_up: list[None] = []

        def give_up() -> None:
            gave_up.append(None)
            pending.cancel()

        timer = self._clock.callLater(REUSED_TIMEOUT_SECONDS, give_up)
        try:
            return await pending
        except Exception:
            if not gave_up:
                raise
        finally:
            if timer.active():
                timer.cancel()
        # The other idle connections are probably dead too.
        self._idle.close_idle()
        return await self._agent.request(method, uri, headers, bodyProducer)
