"""Bodies that go to the store."""

from __future__ import annotations

from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.trial.unittest import SynchronousTestCase
from twisted.web import _newclient

from txregistry.speed.tls import READ_BYTES
from txregistry.storagedriver.s3.transport import PartBody, open_connections

KIB = 1024


class HTTPClientParser(_newclient.HTTPParser):
    """Leaves the size of reads alone."""


class PartBodyTests(SynchronousTestCase):
    """Pieces in memory on their way."""

    def test_pauses(self) -> None:
        """Nothing is written while the connection is full; all of it is, in order."""
        moved: list[int] = []
        pieces = [b"a" * 300 * KIB, b"", b"b" * 10]
        body = PartBody(pieces, lambda: moved.append(1))
        self.assertEqual(body.length, 300 * KIB + 10)
        consumer = _Full()
        consumer.body = body
        done = body.startProducing(consumer)
        while not done.called:
            body.resumeProducing()
        self.successResultOf(done)
        self.assertEqual(consumer.value(), b"".join(pieces))
        self.assertGreater(len(moved), 2)

    def test_nothing(self) -> None:
        """An empty body is sent at once."""
        body = PartBody([], lambda: None)
        self.successResultOf(body.startProducing(_Full()))

    def test_stopped(self) -> None:
        """Who is stopped writes no more, and holds nothing."""
        body = PartBody([b"x"], lambda: None)
        body.stopProducing()
        body.resumeProducing()
        self.assertEqual(body._pieces, ())


class _Full(StringTransport):
    """Is full after each write."""

    body: PartBody | None = None

    def write(self, data: bytes) -> None:
        super().write(data)
        if self.body is not None:
            self.body.pauseProducing()


class _Connection(StringTransport):
    """Takes the options of a socket."""

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Take it."""

    def abortConnection(self) -> None:
        self.loseConnection()


class ConnectionTests(SynchronousTestCase):
    """What asks."""

    def test_closing(self) -> None:
        """It opens no connection by itself, and can be closed."""
        for skip in (True, False):
            connections = open_connections(MemoryReactorClock(), skip)
            self.successResultOf(connections.close())

    def test_tls(self) -> None:
        """An address is asked with TLS in large pieces, verified or not."""
        # That of upstreams, which other tests install, sets the size once more.
        self.patch(_newclient, "HTTPClientParser", HTTPClientParser)
        for skip_verify in (False, True):
            reactor = MemoryReactorClock()
            connections = open_connections(reactor, skip_verify)
            asking = connections.agent.request(b"GET", b"https://127.0.0.1:9000/")
            ((host, port, factory, _, _),) = reactor.tcpClients
            self.assertEqual((host, port), ("127.0.0.1", 9000))
            protocol, transport = factory.buildProtocol(None), _Connection()
            protocol.makeConnection(transport)
            self.assertEqual(transport.bufferSize, READ_BYTES)
            self.assertEqual(transport.value()[:1], b"\x16", "no handshake")
            asking.cancel()
            self.failureResultOf(asking)
