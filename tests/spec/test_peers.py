"""Addresses that are counted as one client."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.peers import client_key


class ClientKeyTests(SynchronousTestCase):
    """What limits per client go by."""

    def test_addresses(self) -> None:
        """A network of 64 bits of IPv6 is one peer; each address of IPv4 is another."""
        self.assertEqual(client_key("2001:db8::1"), client_key("2001:db8::ffff:2"))
        self.assertNotEqual(client_key("2001:db8::1"), client_key("2001:db8:0:1::1"))
        self.assertNotEqual(client_key("192.0.2.1"), client_key("192.0.2.2"))
        self.assertEqual(client_key("::ffff:192.0.2.1"), client_key("192.0.2.1"))
        self.assertEqual(client_key("fe80::1%eth0"), client_key("fe80::2%eth0"))
        self.assertEqual(client_key("-"), "-")
        self.assertEqual(client_key(""), "")
