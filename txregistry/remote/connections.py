"""Connections that are kept for the next question, and those that have died of it."""

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

#: A connection that nobody uses is closed after this many seconds. A network that
#: translates addresses forgets one in some minutes, and tells nobody.
IDLE_SECONDS = 60.0

#: An answer on a kept connection that has not begun after this many seconds may never
#: come: the question is asked again on a new one.
REUSED_TIMEOUT_SECONDS = 5.0

#: When the kernel begins to ask whether the other side of a silent connection is
#: there, how often it does, and how many times in vain. In seconds.
_KEEPALIVE = ((socket.TCP_KEEPIDLE, 20), (socket.TCP_KEEPINTVL, 10))
_KEEPALIVE_PROBES = 3


class IIdleConnections(Protocol):
    """Connections that are kept; tells when one was used again."""

    reused: int

    def close_idle(self) -> None:
        """Close those that nobody uses now."""


class KeepAlivePool(HTTPConnectionPool):
    """A pool whose connections are watched over by the kernel.

    :ivar reused: how many questions were asked on a connection that was kept.
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
        """Give a connection, kept or new."""
        counted = _CountingEndpoint(endpoint, self._count_new)
        made = self._made
        found: Deferred[Any] = super().getConnection(key, counted)
        if self._made == made:
            self.reused += 1
        return found

    def close_idle(self) -> None:
        """Close those that nobody uses now."""
        self.closeCachedConnections()

    def _count_new(self) -> None:
        self._made += 1


@implementer(IStreamClientEndpoint)
@attrs.define(eq=False)
class _CountingEndpoint:
    """An endpoint that says when it is used, and sets up what it connects."""

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
    """Ask again, at once and on a new connection, where a kept one stays silent.

    All questions of ours can be asked twice. The time limit of the agent inside counts
    anew, so that an upstream which is slow to answer loses nothing by it.
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
        """Ask, at most twice."""
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
        # What was kept beside it has most likely been forgotten as well.
        self._idle.close_idle()
        return await self._agent.request(method, uri, headers, bodyProducer)
