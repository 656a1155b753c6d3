"""Forwarded headers of clients that are no proxies of ours."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.test.iosim import FakeTransport
from twisted.trial.unittest import SynchronousTestCase

from txregistry.config.check import check
from txregistry.config.http import Http
from txregistry.config.model import Config
from txregistry.config.storage import Storage
from txregistry.spec.proxies import DEFAULT_NETWORKS, TrustedProxies
from txregistry.testing.house import TestHouse

HEADERS = (
    {"X_Forwarded_Host": "evil.example", "X_Forwarded_Proto": "https"},
    {"Forwarded": "host=evil.example;proto=https"},
)


class ForwardedTests(SynchronousTestCase):
    """What the URLs of answers are made of."""

    def location(self, peer: Any, networks: tuple[str, ...] | None = None) -> list[str]:
        """Begin uploads from an address; say to where it goes on."""
        house = TestHouse()
        if networks is not None:
            proxies = TrustedProxies.parse(networks)
            house.serve_registry(proxies=proxies)
        found = []
        with patch.object(FakeTransport, "getPeer", lambda transport: peer):
            for headers in HEADERS:
                got = house.send("POST", "/v2/a/b/blobs/uploads/", **headers)
                found.append((got.header("Location") or "").partition("/v2/")[0])
        return found

    def believed(self, peer: Any, networks: tuple[str, ...] | None = None) -> bool:
        """Tell whether somebody's word counts; it counts for all headers, or none."""
        found = self.location(peer, networks)
        self.assertEqual(found[0], found[1])
        self.assertIn(found[0], ("https://evil.example", "http://registry.example"))
        return found[0] == "https://evil.example"

    def test_strangers(self) -> None:
        """From a public address they say nothing."""
        for host in ("203.0.113.7", "8.8.8.8", "172.32.0.1", "169.254.169.254"):
            self.assertFalse(self.believed(IPv4Address("TCP", host, 1)), host)
        for host in ("2001:db8::1", "::ffff:203.0.113.7"):
            self.assertFalse(self.believed(IPv6Address("TCP", host, 1)), host)

    def test_neighbours(self) -> None:
        """From the loopback and private networks they are believed."""
        for host in ("127.0.0.1", "10.1.2.3", "172.16.0.9", "192.168.1.1"):
            self.assertTrue(self.believed(IPv4Address("TCP", host, 1)), host)
        for host in ("::1", "fd00::1", "::ffff:10.0.0.1"):
            self.assertTrue(self.believed(IPv6Address("TCP", host, 1)), host)

    def test_unix_socket(self) -> None:
        """Who comes by a path of this machine is believed."""
        self.assertTrue(self.believed(UNIXAddress("/run/x"), ()))

    def test_named(self) -> None:
        """The configuration says who else is, and who is not."""
        peer = IPv4Address("TCP", "203.0.113.7", 1)
        self.assertTrue(self.believed(peer, ("203.0.113.7",)))
        self.assertTrue(self.believed(peer, ("10.0.0.0/8", "203.0.113.0/24")))
        self.assertFalse(self.believed(IPv4Address("TCP", "127.0.0.1", 1), ()))

    def asked_by(
        self, peer: Any, networks: tuple[str, ...] = DEFAULT_NETWORKS, **headers: str
    ) -> str:
        """Ask from an address; say who is logged."""
        house = TestHouse()
        house.serve_registry(proxies=TrustedProxies.parse(networks))
        with patch.object(FakeTransport, "getPeer", lambda transport: peer):
            house.send("GET", "/v2/", **headers)
        return house.recorder.exchanges[-1].peer

    def test_clients_of_a_proxy(self) -> None:
        """Who asks through a proxy of this machine is told apart from others."""
        for peer in (IPv4Address("TCP", "127.0.0.1", 1), UNIXAddress("/run/x")):
            for headers in (
                {"X_Forwarded_For": "8.8.8.8, 203.0.113.7"},
                {"Forwarded": "for=8.8.8.8, for=203.0.113.7;proto=https"},
            ):
                self.assertEqual(self.asked_by(peer, **headers), "203.0.113.7")

    def test_clients_that_claim(self) -> None:
        """Any other client is itself, also in a private network."""
        for host in ("203.0.113.9", "10.1.2.3"):
            peer = IPv4Address("TCP", host, 1)
            self.assertEqual(self.asked_by(peer, X_Forwarded_For="8.8.8.8"), host)

    def test_proxies_that_are_named(self) -> None:
        """Those that the configuration names are asked, one behind the other."""
        peer, named = IPv4Address("TCP", "10.1.2.3", 1), ("10.0.0.0/8",)
        found = self.asked_by(peer, named, X_Forwarded_For="8.8.8.8, 5.5.5.5, 10.2.2.2")
        self.assertEqual(found, "5.5.5.5")

    def test_configuration(self) -> None:
        """What is no network is told, with its key."""
        http = Http(trustedproxies=("10.0.0.0/8", "somewhere", "10.0.0.1/8"))
        problems = check(Config("0.1", Storage("inmemory"), http=http))
        expected = "expected an address or a network, found 'somewhere'"
        self.assertEqual(problems, [f"http.trustedproxies[1]: {expected}"])
        self.assertEqual(Http().trustedproxies, DEFAULT_NETWORKS)
