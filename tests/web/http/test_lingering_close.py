"""Connections that are to be closed, and clients that have their own mind about it."""

from __future__ import annotations

from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from twisted.internet.abstract import FileDescriptor
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import ISSLTransport, ITCPTransport
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import directlyProvides

from txregistry.spec.digest import Digest
from txregistry.testing.house import TestHouse
from txregistry.web.http.lingering_close import LINGER_BYTES, LINGER_SECONDS, Closing

#: HTTP/2: a window opened by nothing, which breaks the protocol (RFC 9113, 6.9).
NO_WINDOW = b"\0\0\4\10\0\0\0\0\0" + bytes(4)


class Socket(FileDescriptor):
    """A connection that remembers how it was closed."""

    def __init__(self) -> None:
        super().__init__(object())
        self.closed: list[str] = []

    def loseConnection(self, _connDone: Any = None) -> None:
        self.closed.append("close")

    def loseWriteConnection(self) -> None:
        self.closed.append("half")

    def abortConnection(self) -> None:
        self.closed.append("abort")


class Tls(Socket):
    """One whose end the client has to consent to."""

    def __init__(self) -> None:
        super().__init__()
        self.transport = Socket()
        directlyProvides(self, ISSLTransport, ITCPTransport)


class ClosingTests(SynchronousTestCase):
    """What is done in which order, and when."""

    def setUp(self) -> None:
        self.clock = Clock()

    def begin(self, transport: Any, sends: bool = False) -> Closing:
        closing = Closing(transport, self.clock.callLater)
        closing.begin(sends)
        return closing

    def test_client_that_sends(self) -> None:
        """It is told by half a close, and the rest follows in time."""
        plain = Socket()
        self.begin(plain, sends=True)
        self.assertEqual(plain.closed, ["half"])
        self.clock.advance(LINGER_SECONDS)
        self.assertEqual(plain.closed, ["half", "close"])

    def test_client_that_never_consents(self) -> None:
        """TLS ends without consent, when there was time for it."""
        for sends in (False, True):
            tls = Tls()
            self.begin(tls, sends)
            self.assertEqual((tls.closed, tls.transport.closed), (["close"], []))
            self.clock.advance(LINGER_SECONDS)
            self.assertEqual((tls.closed, tls.transport.closed), (["close"], ["close"]))

    def test_client_that_takes_nothing(self) -> None:
        """Whoever does not take what is written is cut off, after a long while."""
        plain = Socket()
        plain.dataBuffer = b"answer"
        self.begin(plain)
        self.clock.pump([LINGER_SECONDS] * 9)
        self.assertEqual(plain.closed, ["close"])
        self.clock.advance(LINGER_SECONDS)
        self.assertEqual(plain.closed, ["close", "abort"])

    def test_connection_that_stays(self) -> None:
        """One that does not end by being closed is aborted."""
        plain = Socket()
        self.begin(plain)
        self.clock.pump([LINGER_SECONDS] * 2)
        self.assertEqual(plain.closed, ["close", "close", "abort"])

    def test_client_that_is_slow(self) -> None:
        """Whoever takes some of it has time for more."""
        tls = Tls()
        tls.transport.dataBuffer = b"answer"
        self.begin(tls)
        for offset in range(1, 7):
            tls.transport.offset = offset
            self.assertEqual(tls.transport.closed, [])
            self.clock.advance(LINGER_SECONDS)
        self.assertEqual((tls.closed, tls.transport.closed), (["close"], ["close"]))

    def test_client_that_sends_without_end(self) -> None:
        """No more is read of it than that."""
        plain = Socket()
        closing = self.begin(plain, sends=True)
        closing.discard(bytes(LINGER_BYTES))
        self.assertEqual(plain.closed, ["half"])
        closing.discard(b"x")
        self.assertEqual(plain.closed, ["half", "abort"])

    def test_hurry(self) -> None:
        """Whoever cannot wait closes at once."""
        plain, tls = Socket(), Tls()
        self.begin(plain, sends=True).close_now()
        self.begin(tls).close_now()
        self.assertEqual(plain.closed, ["half", "close"])
        self.assertEqual(tls.closed, ["close", "abort"])

    def test_end(self) -> None:
        """Nothing is left to be done when the connection has gone."""
        closing = self.begin(Tls())
        closing.connection_lost()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class TlsTransport(StringTransport):
    """TLS of a client that has not consented to its end."""

    bufferSize = 0
    aborted = 0

    def __init__(self) -> None:
        super().__init__()
        self.transport = StringTransport()
        directlyProvides(self, ISSLTransport, ITCPTransport)

    def setTcpKeepAlive(self, on: bool) -> None:
        """Take note."""

    def setTcpNoDelay(self, on: bool) -> None:
        """Take note."""

    def abortConnection(self) -> None:
        """Count."""
        self.aborted += 1

    def resumeProducing(self) -> None:
        """Read on, also for the consent."""
        self.producerState = "producing"


class Http1Tests(SynchronousTestCase):
    """Connections of HTTP/1.1 over TLS that are closed."""

    def setUp(self) -> None:
        self.house = TestHouse()
        self.channel = self.house.registry.buildProtocol(None)
        self.transport = TlsTransport()
        self.channel.makeConnection(self.transport)

    def test_held_back(self) -> None:
        """One that had been held back is read again: the consent comes after that."""
        ask = b"GET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        self.house.clock.advance(0)
        self.transport.pauseProducing()
        self.channel.dataReceived(ask)
        self.assertIn(b"200 OK", self.transport.value())
        self.assertTrue(self.transport.disconnecting)
        self.assertEqual(self.transport.producerState, "producing")
        self.assertNotEqual(self.house.clock.getDelayedCalls(), [])

    def test_gone_already(self) -> None:
        """Nothing is waited for on a connection that has gone."""
        self.channel.connectionLost(Failure(ConnectionDone()))
        self.channel.loseConnection()
        self.assertEqual(self.house.timers(), [])
        self.assertFalse(self.transport.disconnecting)

    def test_idle_while_the_kernel_sends(self) -> None:
        """A client that has not consented to the end is given its time."""
        self.channel.dataReceived(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
        idle = int(self.house.registry.limits.idle_seconds)
        self.house.clock.pump([1] * idle)
        self.assertTrue(self.transport.disconnecting)
        self.house.clock.pump([1] * int(LINGER_SECONDS))
        self.assertTrue(self.transport.transport.disconnecting)
        self.assertEqual(self.transport.aborted, 0)

    def test_garbage_goes_on(self) -> None:
        """What comes after a request that was none is dropped."""
        self.channel.dataReceived(b"GARBAGE\r\n\r\n")
        self.assertIn(b"400 Bad Request", self.transport.value())
        self.transport.clear()
        self.channel.dataReceived(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertEqual(self.transport.value(), b"")


class Http2Tests(SynchronousTestCase):
    """Connections of HTTP/2 over TLS that are closed."""

    def setUp(self) -> None:
        self.house = TestHouse()
        self.site = self.house.registry
        self.channel = self.site.build_channel(None, True)
        self.transport = TlsTransport()
        self.channel.makeConnection(self.transport)
        self.transport.registerProducer(self.channel, True)
        self.client = H2Connection(H2Configuration())
        self.client.initiate_connection()
        self.flush()

    def flush(self, more: bytes = b"") -> None:
        self.channel.dataReceived(self.client.data_to_send() + more)

    def ask_for_much(self) -> None:
        """Begin an answer of which nothing is taken."""
        content = bytes(50_000)
        path = f"/v2/a/b/blobs/uploads/?digest={Digest.of(content)}"
        self.house.send("POST", path, content)
        headers = [
            (":method", "GET"),
            (":path", f"/v2/a/b/blobs/{Digest.of(content)}"),
            (":scheme", "https"),
            (":authority", "x"),
        ]
        self.channel.pauseProducing()
        self.client.send_headers(1, headers, end_stream=True)
        self.flush()
        self.house.clock.pump([0.01] * 20)

    def assertClosing(self) -> None:
        self.assertTrue(self.transport.disconnecting)
        self.assertIsNone(self.transport.producer, "TLS does not end while it has one")
        self.assertIn(self.channel, self.site.channels)

    def assertEnds(self) -> None:
        """See that it ends in time, whatever the client sends, and leaves nothing."""
        for _ in range(int(LINGER_SECONDS)):
            self.assertFalse(self.transport.transport.disconnecting)
            self.channel.dataReceived(NO_WINDOW)
            self.house.clock.advance(1)
        self.assertTrue(self.transport.transport.disconnecting)
        self.channel.connectionLost(Failure(ConnectionDone()))
        self.assertEqual((self.site.channels, self.site.active), (set(), set()))
        self.assertEqual(self.house.timers(), [])
        self.assertIn(bytes([7, 0, 0, 0, 0, 0]), self.transport.value(), "no GOAWAY")

    def test_protocol_broken(self) -> None:
        """A client that breaks the protocol counts until it has gone."""
        self.flush(NO_WINDOW)
        self.assertClosing()
        self.assertEnds()

    def test_protocol_broken_while_held_back(self) -> None:
        """It is told so when it has taken none of what was sent before."""
        self.ask_for_much()
        self.flush(NO_WINDOW)
        self.assertClosing()
        self.assertEnds()

    def test_stalled(self) -> None:
        """A client that neither takes nor sends is told, and let go."""
        self.ask_for_much()
        self.house.clock.pump([1] * int(self.site.limits.idle_seconds + 1))
        self.assertClosing()
        self.house.clock.pump([1] * int(LINGER_SECONDS))
        self.assertTrue(self.transport.transport.disconnecting)
        self.assertEqual(self.transport.aborted, 0)

    def test_goodbye_twice(self) -> None:
        """A client that says goodbye twice is not cut off for it."""
        self.client.close_connection()
        goodbye = self.client.data_to_send()
        self.channel.dataReceived(goodbye + goodbye)
        self.assertClosing()
        self.assertEqual(self.transport.aborted, 0)
        said = self.transport.value()
        self.house.clock.pump([1] * 200)
        self.assertEqual(self.transport.aborted, 1)
        self.assertEqual(self.transport.value(), said, "it has all been said")
