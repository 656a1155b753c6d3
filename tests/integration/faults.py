"""A way to a server that breaks on request."""

from __future__ import annotations

from typing import Any

import attrs
from twisted.internet import reactor
from twisted.internet.protocol import ClientFactory, Factory, Protocol

SLOW_DOWN = (
    b"HTTP/1.1 503 Slow Down\r\nConnection: close\r\nContent-Length: 45\r\n\r\n"
    b"<Error><Code>SlowDown</Code></Error>         "
)
INTERNAL = b"HTTP/1.1 500 Oh\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

_VERBS = (b"GET ", b"PUT ", b"POST ", b"HEAD ", b"DELETE ")


@attrs.define(eq=False)
class Faults:
    """Passes bytes on to a port of this machine, but for what is asked for.

    :ivar answers: are given to the next requests instead.
    :ivar cut_after: bytes of the next long answer after which the connection is reset.
    """

    target: int
    answers: list[bytes] = attrs.field(factory=list)
    cut_after: int | None = None
    cuts: int = 0
    _listening: Any = None
    port: int = 0
    open: set[Any] = attrs.field(factory=set)

    def listen(self) -> None:
        """Let others connect, always to the same port."""
        factory = Factory()
        factory.buildProtocol = lambda _: _Front(self)  # type: ignore[method-assign]
        self._listening = reactor.listenTCP(self.port, factory, interface="127.0.0.1")
        self.port = self._listening.getHost().port

    async def go_away(self) -> None:
        """Refuse all connections, and break those there are."""
        await self._listening.stopListening()
        for front in list(self.open):
            front.transport.abortConnection()


class _Front(Protocol):
    """The side of whoever asks."""

    def __init__(self, faults: Faults) -> None:
        self.faults, self.back, self.waiting = faults, None, []

    def connectionMade(self) -> None:
        self.faults.open.add(self)
        factory = ClientFactory()
        factory.noisy = False
        factory.buildProtocol = lambda _: _Back(self)
        reactor.connectTCP("127.0.0.1", self.faults.target, factory)

    def dataReceived(self, data: bytes) -> None:
        if self.faults.answers and data.startswith(_VERBS):
            self.transport.write(self.faults.answers.pop(0))
            self.transport.loseConnection()
        elif self.back is None:
            self.waiting.append(data)
        else:
            self.back.transport.write(data)

    def connectionLost(self, reason: Any = None) -> None:
        self.faults.open.discard(self)
        if self.back is not None:
            self.back.transport.abortConnection()


class _Back(Protocol):
    """The side of the server."""

    def __init__(self, front: _Front) -> None:
        self.front, self.passed = front, 0

    def connectionMade(self) -> None:
        self.front.back = self
        self.transport.writeSequence(self.front.waiting)
        self.transport.registerProducer(self.front.transport, True)
        self.front.transport.registerProducer(self.transport, True)

    def dataReceived(self, data: bytes) -> None:
        faults = self.front.faults
        self.passed = (
            len(data) if data.startswith(b"HTTP/") else self.passed + len(data)
        )
        if faults.cut_after is not None and self.passed > faults.cut_after:
            faults.cut_after = None
            faults.cuts += 1
            self.front.transport.abortConnection()
            return
        self.front.transport.write(data)

    def connectionLost(self, reason: Any = None) -> None:
        self.front.transport.loseConnection()
