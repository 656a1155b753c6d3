"""Egress proxies and credential helpers."""

from __future__ import annotations

import base64

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from txregistry.remote.egress import ProxyAddress, TunnelEndpoint, TunnelRefused
from txregistry.remote.transport import egress_proxies, proxy_bypass


class AddressTests(SynchronousTestCase):
    """What the environment says."""

    def test_proxies(self) -> None:
        """Upper and lower case, with and without a scheme, with credentials."""
        found = egress_proxies(
            {"HTTP_PROXY": "proxy:3128", "https_proxy": "http://u%40x:p@10.0.0.1"}
        )
        self.assertEqual(found["http"], ProxyAddress("proxy", 3128))
        coded = base64.b64encode(b"u@x:p").decode()
        self.assertEqual(found["https"], ProxyAddress("10.0.0.1", 80, f"Basic {coded}"))
        self.assertEqual(egress_proxies({}), {})
        for bad in ("https://proxy", "socks5://proxy", "http://", "http://x:0"):
            with self.assertRaises(ValueError):
                ProxyAddress.parse(bad)

    def test_unusable_proxy_is_named(self) -> None:
        """Whoever set the variable is told which one it was."""
        for name, value in (
            ("HTTPS_PROXY", "socks5://proxy:1080"),
            ("http_proxy", "https://proxy"),
        ):
            with self.assertRaises(ValueError) as caught:
                egress_proxies({name: value})
            self.assertTrue(str(caught.exception).startswith(f"{name}: "))

    def test_lower_case_where_the_other_is_empty(self) -> None:
        """An empty variable is none."""
        found = egress_proxies({"HTTP_PROXY": "", "http_proxy": "proxy:1"})
        self.assertEqual(found["http"], ProxyAddress("proxy", 1))
        found = egress_proxies({"HTTP_PROXY": "first:1", "http_proxy": "second:1"})
        self.assertEqual(found["http"].host, "first")
        bypass = proxy_bypass({"NO_PROXY": " ", "no_proxy": "docker.io"})
        self.assertTrue(bypass.covers("docker.io", 443))


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
