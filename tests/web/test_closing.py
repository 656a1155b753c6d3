"""Connections that are to be closed, and clients that have their own mind about it."""

from __future__ import annotations

from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import ISSLTransport, ITCPTransport
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import directlyProvides

from txregistry.testing.house import TestHouse
from txregistry.web.closing import LINGER_BYTES, LINGER_SECONDS, Closing

#: HTTP/2: how a client begins, and a window that is opened by nothing (RFC 9113, 6.9).
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = b"\0\0\0\4\0\0\0\0\0"
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
        closing.take(bytes(LINGER_BYTES))
        self.assertEqual(plain.closed, ["half"])
        closing.take(b"x")
        self.assertEqual(plain.closed, ["half", "abort"])

    def test_hurry(self) -> None:
        """Whoever cannot wait closes at once."""
        plain, tls = Socket(), Tls()
        self.begin(plain, sends=True).hurry()
        self.begin(tls).hurry()
        self.assertEqual(plain.closed, ["half", "close"])
        self.assertEqual(tls.closed, ["close", "abort"])

    def test_end(self) -> None:
        """Nothing is left to be done when the connection has gone."""
        closing = self.begin(Tls())
        closing.end()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class TlsTransport(StringTransport):
    """TLS of a client that has not consented to its end."""

    bufferSize = 0

    def __init__(self) -> None:
        super().__init__()
        self.transport = StringTransport()
        directlyProvides(self, ISSLTransport, ITCPTransport)

    def setTcpKeepAlive(self, on: bool) -> None:
        """Take note."""

    def setTcpNoDelay(self, on: bool) -> None:
        """Take note."""

    def resumeProducing(self) -> None:
        """Read on, also for the consent."""
        self.producerState = "producing"


class ChannelTests(SynchronousTestCase):
    """Connections of the registry over TLS that are closed."""

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

    def test_http2(self) -> None:
        """One whose client breaks the protocol counts until it has gone, in time."""
        transport = TlsTransport()
        channel = self.house.registry.build(None, True)
        channel.makeConnection(transport)
        transport.registerProducer(channel, True)
        channel.dataReceived(PREFACE + SETTINGS + NO_WINDOW)
        self.assertTrue(transport.disconnecting)
        self.assertIsNone(transport.producer, "TLS does not end while it has one")
        self.assertIn(channel, self.house.registry.channels)
        for _ in range(int(LINGER_SECONDS)):
            self.assertFalse(transport.transport.disconnecting)
            channel.dataReceived(NO_WINDOW)
            self.house.clock.advance(1)
        self.assertTrue(transport.transport.disconnecting)
        channel.connectionLost(Failure(ConnectionDone()))
        self.assertNotIn(channel, self.house.registry.channels)

    def test_gone_already(self) -> None:
        """Nothing is waited for on a connection that has gone."""
        self.channel.connectionLost(Failure(ConnectionDone()))
        self.channel.loseConnection()
        self.assertEqual(self.house.timers(), [])
        self.assertFalse(self.transport.disconnecting)

    def test_garbage_goes_on(self) -> None:
        """What comes after a request that was none is dropped."""
        self.channel.dataReceived(b"GARBAGE\r\n\r\n")
        self.assertIn(b"400 Bad Request", self.transport.value())
        self.transport.clear()
        self.channel.dataReceived(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertEqual(self.transport.value(), b"")
