"""Whose forwarded headers count."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.proxies import DEFAULT_NETWORKS, TrustedProxies


class TrustTests(SynchronousTestCase):
    """Peers that are trusted, and with what."""

    def test_default(self) -> None:
        """The loopback names clients; private networks name only scheme and host."""
        proxies = TrustedProxies.parse(DEFAULT_NETWORKS)
        for peer, base, client in (
            ("127.0.0.1", True, True),
            ("::1", True, True),
            ("::ffff:127.0.0.1", True, True),
            ("10.1.2.3", True, False),
            ("fd00::1%eth0", True, False),
            ("203.0.113.7", False, False),
            ("2001:db8::1", False, False),
            ("::ffff:203.0.113.7", False, False),
            ("", True, True),
        ):
            found = proxies.trusts(peer), proxies.trusts_client_address(peer)
            self.assertEqual(found, (base, client), peer)

    def test_named(self) -> None:
        """Proxies that are named name clients too; all others are strangers."""
        proxies = TrustedProxies.parse(iter(("203.0.113.7", "10.0.0.1/8")))
        for peer, expected in (
            ("203.0.113.7", True),
            ("203.0.113.8", False),
            ("10.9.9.9", True),
            ("127.0.0.1", False),
        ):
            found = proxies.trusts(peer), proxies.trusts_client_address(peer)
            self.assertEqual(found, (expected, expected), peer)

    def test_nobody(self) -> None:
        """An empty list trusts no address; a Unix socket is still trusted."""
        proxies = TrustedProxies.parse(())
        self.assertFalse(proxies.trusts("127.0.0.1"))
        self.assertTrue(proxies.trusts(""))

    def test_neither(self) -> None:
        """What is neither an address nor a network is an error."""
        for text in ("somewhere", "", "10.0.0.0/33", "10.0.0.1:80"):
            self.assertRaises(ValueError, TrustedProxies.parse, (text,))
