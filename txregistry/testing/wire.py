"""An in-memory wire: real HTTP client and server code, no sockets, no real time."""

from __future__ import annotations

from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.internet.task import Clock
from twisted.test import iosim
from twisted.web.client import URI, Agent
from twisted.web.http_headers import Headers
from twisted.web.iweb import (
    IAgent,
    IAgentEndpointFactory,
    IBodyProducer,
    IResponse,
)
from zope.interface import implementer

from txregistry.speed.failures import failed

#: Rounds of pumping after which a wire that still moves bytes is a runaway.
_MANY_ROUNDS = 100_000


class ClientTransport(iosim.FakeTransport):
    """The client's end of a connection, which can be paused.

    What arrives meanwhile, the end included, waits until it goes on.

    :ivar bufferSize: most bytes that it delivers at once, as a socket does.
    """

    bufferSize = 65_536

    def __init__(self, protocol: Any) -> None:
        super().__init__(protocol, isServer=False)
        self._arrived = bytearray()
        self._is_paused = self._has_ended = False

    def pauseProducing(self) -> None:
        """Deliver nothing."""
        self._is_paused = True

    def resumeProducing(self) -> None:
        """Deliver again, when the wire is pumped."""
        self._is_paused = False

    def bufferReceived(self, buf: Any) -> None:
        """Take bytes from the other end."""
        if isinstance(buf, bytes):
            self._arrived += buf
            self.deliver()
        else:
            super().bufferReceived(buf)

    def reportDisconnect(self) -> None:
        """Take the end of the connection."""
        self._has_ended = True
        self.deliver()

    @property
    def is_waiting(self) -> bool:
        """Tell whether something has arrived that is not delivered."""
        return bool(self._arrived or self._has_ended)

    def deliver(self) -> bool:
        """Deliver what has arrived, unless paused; tell whether there was any."""
        if self._is_paused or not self.is_waiting:
            return False
        while self._arrived and not self._is_paused:
            piece = bytes(self._arrived[: self.bufferSize])
            del self._arrived[: len(piece)]
            self.protocol.dataReceived(piece)
        if self._has_ended and not self._is_paused:
            self._has_ended = False
            super().reportDisconnect()
        return True

    def loseConnection(self) -> None:
        """Close it: nothing more is delivered but the end."""
        self._is_paused = False
        self._arrived.clear()
        super().loseConnection()

    def abortConnection(self) -> None:
        """Close it as well."""
        self.loseConnection()


@implementer(IStreamClientEndpoint, IAgentEndpointFactory)
@attrs.define(eq=False)
class _Endpoint:
    _wire: Wire

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        return self

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        return self._wire.connect(protocolFactory)


@implementer(IAgent)
@attrs.define(eq=False)
class Wire:
    """An agent whose requests all reach one server, whatever host they name.

    :ivar refused: connecting fails with this, as to a host that is not there.
    :ivar reused: connections that were used again; none is kept.
    """

    _server: IProtocolFactory
    _clock: Clock
    refused: Exception | None = None
    reused: int = 0
    _agent: Agent = attrs.field(init=False)
    _pumps: list[iosim.IOPump] = attrs.field(factory=list)

    def __attrs_post_init__(self) -> None:
        self._agent = Agent.usingEndpointFactory(self._clock, _Endpoint(self))

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> Deferred[IResponse]:
        """Ask; bytes move when the wire is pumped."""
        asked: IAgent = self._agent
        return asked.request(method, uri, headers, bodyProducer)

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        """Make a connection to the server."""
        if self.refused is not None:
            return failed(self.refused)
        client: Any = factory.buildProtocol(None)  # type: ignore[arg-type]
        server: Any = self._server.buildProtocol(None)  # type: ignore[arg-type]
        pump = iosim.connect(
            server,
            iosim.FakeTransport(server, isServer=True),
            client,
            ClientTransport(client),
        )
        self._pumps.append(pump)
        connected: Deferred[IProtocol] = Deferred()
        connected.callback(client)
        return connected

    def close_idle(self) -> None:
        """Have none to close."""

    def pump(self) -> bool:
        """Move all bytes that are waiting; tell whether there were any."""
        moved = False
        for _ in range(_MANY_ROUNDS):
            if not any(pump.pump() or pump.clientIO.deliver() for pump in self._pumps):
                break
            moved = True
        self._pumps = [pump for pump in self._pumps if not _is_closed(pump)]
        return moved

    def cut(self) -> None:
        """Close all connections, as clients that go away do."""
        for pump in self._pumps:
            pump.clientIO.loseConnection()
        self.pump()

    @property
    def open_connections(self) -> int:
        """Count the connections that neither side has closed."""
        return len(self._pumps)


def _is_closed(pump: iosim.IOPump) -> bool:
    ended = pump.clientIO.disconnected and pump.serverIO.disconnected
    return bool(ended and not pump.clientIO.is_waiting)
