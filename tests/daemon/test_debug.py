"""The debug listener: what its connections may take."""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransportWithDisconnection
from twisted.trial.unittest import SynchronousTestCase

from txregistry.daemon.debug import (
    MOST_BYTES,
    MOST_CONNECTIONS,
    MOST_HEADS,
    MOST_SECONDS,
    LimitedFactory,
)


class LimitedTests(SynchronousTestCase):
    """How long a connection lasts, and what it may send."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.received = 0
        self.factory = LimitedFactory(Factory.forProtocol(self.counted), self.clock)
        self.factory.doStart()
        self.addCleanup(self.factory.doStop)
        self.protocol, self.transport = self.connect()

    def counted(self) -> Protocol:
        """Give a protocol that counts what it receives."""

        def received(data: bytes) -> None:
            self.received += len(data)

        protocol = Protocol()
        protocol.dataReceived = received
        return protocol

    def connect(self) -> tuple[Any, StringTransportWithDisconnection]:
        """Make a connection."""
        protocol, transport = (
            self.factory.buildProtocol(None),
            StringTransportWithDisconnection(),
        )
        transport.protocol = protocol
        protocol.makeConnection(transport)
        return protocol, transport

    def test_drip(self) -> None:
        """Whoever sends a byte now and then is cut off all the same."""
        for _ in range(int(MOST_SECONDS) - 1):
            self.clock.advance(1)
            self.protocol.dataReceived(b"x")
        self.assertTrue(self.transport.connected)
        self.clock.advance(1)
        self.assertFalse(self.transport.connected)

    def test_many_bytes(self) -> None:
        """A body without an end is not kept."""
        for _ in range(MOST_BYTES // 1024):
            self.protocol.dataReceived(bytes(1024))
        self.assertTrue(self.transport.connected)
        self.protocol.dataReceived(b"x")
        self.assertFalse(self.transport.connected)
        self.assertEqual(self.received, MOST_BYTES)

    def test_many_requests_at_once(self) -> None:
        """No scraper sends them before the answers: they would all be kept."""
        head = b"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n"
        for _ in range(3 * MOST_HEADS):
            self.protocol.dataReceived(head)
        self.protocol.dataReceived(head * MOST_HEADS)
        self.assertTrue(self.transport.connected)
        self.protocol.dataReceived(head * (MOST_HEADS + 1))
        self.assertFalse(self.transport.connected)
        self.assertEqual(self.received, 4 * MOST_HEADS * len(head))

    def test_many_connections(self) -> None:
        """One too many ends at once, until another has gone."""
        transports = [self.connect()[1] for _ in range(MOST_CONNECTIONS)]
        self.clock.advance(0)
        self.assertFalse(transports.pop().connected)
        self.assertTrue(all(transport.connected for transport in transports))
        self.transport.loseConnection()
        _, transport = self.connect()
        self.clock.advance(0)
        self.assertTrue(transport.connected)

    def test_gone(self) -> None:
        """One that has ended leaves nothing with the clock."""
        self.transport.loseConnection()
        self.assertEqual(self.clock.getDelayedCalls(), [])
