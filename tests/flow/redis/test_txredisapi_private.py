"""What we rely on of txredisapi, and it does not document."""

from __future__ import annotations

from typing import Any

import txredisapi
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransportWithDisconnection
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from txregistry.flow.redis.txredisapi_private import (
    MAX_ANSWER_BYTES,
    AnswerReader,
    RedisConnections,
    commands_of,
    is_connected,
)


@implementer(IStreamClientEndpoint)
class Endpoint:
    """Connects at once, to a redis that the test speaks for."""

    def __init__(self) -> None:
        self.wires: list[Any] = []

    def connect(self, factory: Any) -> Deferred[Any]:
        wire = StringTransportWithDisconnection()
        wire.protocol = factory.buildProtocol(None)
        wire.abortConnection = wire.loseConnection
        wire.protocol.makeConnection(wire)
        self.wires.append(wire)
        return succeed(wire.protocol)


class ConnectionTests(SynchronousTestCase):
    """A pool of one connection."""

    def setUp(self) -> None:
        clock = Clock()
        self.patch(txredisapi, "reactor", clock)
        self.patch(AnswerReader, "callLater", clock.callLater)
        self.endpoint, self.clock = Endpoint(), clock
        self.pool = RedisConnections("x", None, 1, isLazy=True, convertNumbers=False)
        self.pool.startConnecting(self.endpoint)
        clock.advance(0)
        self.addCleanup(self.pool.abort)

    @property
    def wire(self) -> Any:
        return self.endpoint.wires[-1]

    def test_unconnected(self) -> None:
        """Without a connection a question would wait for one, however long."""
        self.assertFalse(is_connected(RedisConnections("x", None, 1)))

    def test_question(self) -> None:
        """A connection asks, and gets what was answered."""
        self.assertTrue(is_connected(self.pool))
        answer = commands_of(self.pool).get("key")
        self.assertIn(b"GET", self.wire.value())
        self.wire.protocol.dataReceived(b"$5\r\nvalue\r\n")
        self.clock.advance(0)
        self.assertEqual(self.successResultOf(answer), "value")

    def test_unasked(self) -> None:
        """An answer that nobody has asked for is noticed, and ends the connection."""
        self.wire.protocol.dataReceived(b"+OK\r\n")
        self.assertFalse(self.wire.connected, "it would answer the next question")

    def test_endless(self) -> None:
        """An answer that has no end is noticed as well."""
        answer = commands_of(self.pool).get("key")
        self.wire.protocol.dataReceived(b"$99999999\r\n")
        for _ in range(MAX_ANSWER_BYTES // 1024 + 1):
            self.wire.protocol.dataReceived(bytes(1024))
            self.clock.advance(0)
        self.assertFalse(self.wire.connected, "an answer may fill the memory")
        self.failureResultOf(answer, txredisapi.ConnectionError)

    def test_lost(self) -> None:
        """A connection that is lost is counted no more, nor waited for."""
        self.assertTrue(is_connected(self.pool))
        self.wire.loseConnection()
        self.assertFalse(is_connected(self.pool))

    def test_abort(self) -> None:
        """All connections are cut, and none is made again."""
        wire = self.wire
        self.successResultOf(self.pool.abort())
        self.assertFalse(wire.connected)
        self.assertFalse(is_connected(self.pool))
        self.assertEqual(len(self.endpoint.wires), 1)

    def test_goes_on(self) -> None:
        """Nothing makes it give up: its library would on a login that fails."""
        self.successResultOf(self.pool.stopTrying())
        self.assertFalse(self.pool.stopped)
