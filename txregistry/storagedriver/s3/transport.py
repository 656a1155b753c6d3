"""Connections to the store, and bodies that go there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs
from twisted.internet.abstract import isIPAddress
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint
from twisted.internet.interfaces import (
    IConsumer,
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.web.client import (
    URI,
    Agent,
    BrowserLikePolicyForHTTPS,
    HTTPConnectionPool,
)
from twisted.web.iweb import (
    IAgent,
    IAgentEndpointFactory,
    IBodyProducer,
)
from zope.interface import implementer

from txregistry.flow.unverified_tls import UnverifiedTls
from txregistry.speed.tls import TlsClientEndpoint, read_at_once

#: Connections that are kept for the next question, and for how many seconds: most
#: servers close them after a minute.
_KEPT_CONNECTIONS, _KEPT_SECONDS = 64, 20

_CONNECT_SECONDS = 10

#: Bytes per read of a socket, and per write of a body.
_READ_BYTES = 256 * 1024


@implementer(IStreamClientEndpoint)
@attrs.frozen
class _QuickEndpoint:
    """An endpoint whose connections read much at once."""

    _inner: Any

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        done: Deferred[Any] = self._inner.connect(protocolFactory)
        return done.addCallback(_read_much)


@implementer(IAgentEndpointFactory)
@attrs.frozen
class _Endpoints:
    _reactor: Any
    _policy: Any

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        host, port = uri.host.decode("ascii"), uri.port
        inner: Any = HostnameEndpoint(self._reactor, host, port, _CONNECT_SECONDS)
        if isIPAddress(host):
            # Names are resolved on a thread, which an address need not wait for.
            inner = TCP4ClientEndpoint(self._reactor, host, port, _CONNECT_SECONDS)
        if uri.scheme == b"https":
            creator = self._policy.creatorForNetloc(uri.host, port)
            inner = TlsClientEndpoint(creator, inner)
        return _QuickEndpoint(inner)


def _read_much(protocol: Any) -> Any:
    read_at_once(protocol.transport, _READ_BYTES)
    return protocol


@attrs.frozen
class Connections:
    """Asks over connections that are kept."""

    agent: IAgent
    close: Callable[[], Deferred[None]]


def open_connections(reactor: Any, skip_verify: bool) -> Connections:
    """Make what asks; it connects when it is asked to."""
    pool = HTTPConnectionPool(reactor)
    pool.maxPersistentPerHost = _KEPT_CONNECTIONS
    pool.cachedConnectionTimeout = _KEPT_SECONDS
    pool.retryAutomatically = False  # the client does, with all kinds of questions
    policy: Any = UnverifiedTls() if skip_verify else BrowserLikePolicyForHTTPS()
    agent = Agent.usingEndpointFactory(reactor, _Endpoints(reactor, policy), pool)
    return Connections(agent, pool.closeCachedConnections)


@implementer(IBodyProducer)
@attrs.define(eq=False)
class PartBody:
    """Sends pieces that are in memory, as fast as the connection takes them.

    :param moved: is called whenever some were taken.
    """

    _pieces: Sequence[bytes]
    _moved: Callable[[], None]
    length: int = attrs.field(init=False)
    _consumer: IConsumer | None = None
    _done: Deferred[None] | None = None
    _piece: int = 0
    _offset: int = 0
    _paused: bool = False

    def __attrs_post_init__(self) -> None:
        self.length = sum(map(len, self._pieces))

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        """Send all; fires at the end."""
        done: Deferred[None] = Deferred(lambda _: self.stopProducing())
        self._done, self._consumer = done, consumer
        self.resumeProducing()
        return done

    def pauseProducing(self) -> None:
        """Send no more for now."""
        self._paused = True

    def resumeProducing(self) -> None:
        """Go on."""
        self._paused = False
        self._moved()
        while self._done is not None and not self._paused:
            self._send_some()

    def stopProducing(self) -> None:
        """Send no more at all."""
        self._forget()

    def _forget(self) -> Deferred[None] | None:
        """Hold nothing any more: the consumer holds us, and the parts are large."""
        done, self._done, self._consumer = self._done, None, None
        self._pieces = ()
        return done

    def _send_some(self) -> None:
        if self._piece == len(self._pieces):
            done = self._forget()
            if done is not None:
                done.callback(None)
            return
        piece = self._pieces[self._piece]
        some = piece[self._offset : self._offset + _READ_BYTES]
        self._offset += len(some)
        if self._offset >= len(piece):
            self._piece, self._offset = self._piece + 1, 0
        if some and self._consumer is not None:
            self._consumer.write(some)
