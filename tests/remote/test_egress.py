"""Egress proxies and credential helpers."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from txregistry.remote.egress import TunnelEndpoint, TunnelRefused


@implementer(IStreamClientEndpoint)
class Proxy:
    """An endpoint whose other end is the test."""

    def __init__(self) -> None:
        self.transport = StringTransport()

    def connect(self, factory):
        self.protocol = factory.buildProtocol(None)
        self.protocol.makeConnection(self.transport)
        done: Deferred[object] = Deferred()
        done.callback(self.protocol)
        return done


class Inner(Protocol):
    """What speaks inside the tunnel."""

    def __init__(self) -> None:
        self.received = b""
        self.lost = False

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason=None) -> None:
        self.lost = True


class TunnelTests(SynchronousTestCase):
    """CONNECT."""

    def setUp(self) -> None:
        self.proxy = Proxy()
        endpoint = TunnelEndpoint(self.proxy, "up.example:443", "Basic eA==")
        self.inner = Inner()
        self.done = endpoint.connect(Factory.forProtocol(lambda: self.inner))

    def test_tunnel(self) -> None:
        """When the proxy agrees, the connection is the inner protocol's."""
        said = self.proxy.transport.value()
        self.assertTrue(said.startswith(b"CONNECT up.example:443 HTTP/1.1\r\n"))
        self.assertIn(b"Proxy-Authorization: Basic eA==\r\n", said)
        self.assertNoResult(self.done)
        self.proxy.protocol.dataReceived(b"HTTP/1.1 200 OK\r\nX: y")
        self.proxy.protocol.dataReceived(b"\r\n\r\n")
        self.assertIs(self.successResultOf(self.done), self.inner)
        self.proxy.protocol.dataReceived(b"hello")
        self.assertEqual(self.inner.received, b"hello")
        self.proxy.protocol.connectionLost()
        self.assertTrue(self.inner.lost)

    def test_refused(self) -> None:
        """Any other answer is an error, and the connection is closed."""
        self.proxy.protocol.dataReceived(b"HTTP/1.1 407 No\r\n\r\n")
        self.failureResultOf(self.done, TunnelRefused)
        self.assertTrue(self.proxy.transport.disconnecting)

    def test_closed(self) -> None:
        """So is silence that ends."""
        self.proxy.protocol.connectionLost()
        self.failureResultOf(self.done, TunnelRefused)

    def test_given_up(self) -> None:
        """A wait that is cancelled stays cancelled: nobody is to try again."""
        self.done.cancel()
        self.failureResultOf(self.done, CancelledError)
        self.assertTrue(self.proxy.transport.disconnecting)
        self.proxy.protocol.connectionLost()

    def test_endless_head(self) -> None:
        """And a head without an end."""
        self.proxy.protocol.dataReceived(b"x" * 20_000)
        self.failureResultOf(self.done, TunnelRefused)

    def test_bytes_before_ours(self) -> None:
        """Whoever speaks first inside a TLS tunnel is not our upstream."""
        self.proxy.protocol.dataReceived(b"HTTP/1.1 200 OK\r\n\r\nextra")
        self.failureResultOf(self.done, TunnelRefused)
