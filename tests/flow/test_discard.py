"""Response bodies that are not needed."""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import UNKNOWN_LENGTH

from txregistry.flow.discard import discard

KIB = 1024


class Response:
    """A response whose body is delivered by the test."""

    def __init__(self, length: Any) -> None:
        self.length = length
        self.transport = StringTransport()

    def deliverBody(self, protocol: Protocol) -> None:
        """Connect the reader of the body."""
        self.protocol = protocol
        protocol.makeConnection(self.transport)


class DiscardTests(SynchronousTestCase):
    """When the connection is kept, and when it is closed."""

    def setUp(self) -> None:
        self.clock = Clock()

    def discard(self, length: Any) -> Response:
        response = Response(length)
        discard(response, self.clock)  # type: ignore[arg-type]
        return response

    def end(self, response: Response) -> None:
        response.protocol.connectionLost(Failure(connectionDone.value))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_short(self) -> None:
        """A body of up to 64 KiB is read to its end, and the connection is kept."""
        for length in (0, 64 * KIB, UNKNOWN_LENGTH):
            response = self.discard(length)
            response.protocol.dataReceived(b"x" * (64 * KIB if length else 0))
            self.assertFalse(response.transport.disconnecting, length)
            self.end(response)

    def test_unknown_length(self) -> None:
        """A body that turns out to be longer closes the connection."""
        response = self.discard(UNKNOWN_LENGTH)
        for size, closed in ((64 * KIB, False), (1, True)):
            response.protocol.dataReceived(b"x" * size)
            self.assertEqual(response.transport.disconnecting, closed)
        self.end(response)

    def test_long(self) -> None:
        """One that is known to be longer closes it with its first byte."""
        response = self.discard(64 * KIB + 1)
        response.protocol.dataReceived(b"x")
        self.assertTrue(response.transport.disconnecting)
        self.end(response)

    def test_slow(self) -> None:
        """A body that takes more than five seconds closes the connection."""
        response = self.discard(10)
        self.clock.advance(4.9)
        response.protocol.dataReceived(b"x")
        self.assertFalse(response.transport.disconnecting)
        self.clock.advance(0.1)
        self.assertTrue(response.transport.disconnecting)
        self.end(response)
