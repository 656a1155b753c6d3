"""Who asks, also through proxies."""

from __future__ import annotations

from types import SimpleNamespace

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.test.requesthelper import DummyChannel

from txregistry.spec.proxies import TrustedProxies
from txregistry.web.http.peers import PeerRequest


class PeerTests(SynchronousTestCase):
    """Addresses of clients."""

    def request(self, host: str, **headers: str) -> PeerRequest:
        request = PeerRequest(DummyChannel(), False)
        request.client = IPv4Address("TCP", host, 1) if host else UNIXAddress("/run/x")
        request.site = SimpleNamespace(proxies=TrustedProxies.parse(["10.0.0.0/8"]))
        for name, value in headers.items():
            request.requestHeaders.setRawHeaders(name.replace("_", "-"), [value])
        return request

    def test_direct(self) -> None:
        """Without a word of a proxy it is whoever is connected."""
        for host in ("10.0.0.1", "203.0.113.7"):
            self.assertEqual(self.request(host).peer, host)
        self.assertEqual(self.request("").peer, "-")

    def test_proxied(self) -> None:
        """A trusted proxy says for whom it asks; others say it for nothing."""
        for host, expected in (("10.0.0.1", "8.8.8.8"), ("203.0.113.7", "203.0.113.7")):
            for headers in (
                {"X_Forwarded_For": "1.1.1.1, 8.8.8.8"},
                {"Forwarded": "for=1.1.1.1, for=8.8.8.8"},
            ):
                request = self.request(host, **headers)
                self.assertEqual((request.peer, request.hop), (expected, host))

    def test_once(self) -> None:
        """Whoever it was found to be it stays, for limits and logs."""
        request = self.request("10.0.0.1", X_Forwarded_For="8.8.8.8")
        self.assertEqual(request.peer, "8.8.8.8")
        request.requestHeaders.setRawHeaders("X-Forwarded-For", ["9.9.9.9"])
        self.assertEqual(request.peer, "8.8.8.8")

    def test_headers(self) -> None:
        """Other headers of proxies count as far as the proxy is trusted."""
        given = {"X_Forwarded_Host": "registry.example"}
        for host, expected in (("10.0.0.1", "registry.example"), ("203.0.113.7", "")):
            found = self.request(host, **given).forwarded("X-Forwarded-Host")
            self.assertEqual(found, expected)
        self.assertEqual(self.request("10.0.0.1").forwarded("Forwarded"), "")
