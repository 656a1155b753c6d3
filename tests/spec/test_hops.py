"""For whom proxies ask."""

from __future__ import annotations

from unittest import TestCase

from txregistry.spec.forwarded import forwarded_elements
from txregistry.spec.hops import client_address, hop_address


def is_near(address: str) -> bool:
    """Believe those whose addresses begin with 10."""
    return address.startswith("10.")


class ClientTests(TestCase):
    """Which of the addresses in a chain counts."""

    def client(self, peer: str, forwarded: str = "", forwarded_for: str = "") -> str:
        return client_address(peer, forwarded, forwarded_for, is_near)

    def test_chains(self) -> None:
        """The last one that nobody trusted has named."""
        for chain, expected in (
            ("", "10.0.0.1"),
            ("8.8.8.8", "8.8.8.8"),
            ("1.1.1.1, 8.8.8.8", "8.8.8.8"),
            ("1.1.1.1,10.0.0.2", "1.1.1.1"),
            ("10.0.0.3, 10.0.0.2", "10.0.0.3"),
            ("1.1.1.1, unknown", "10.0.0.1"),
            ("1.1.1.1, ,", "10.0.0.1"),
            ("1.1.1.1, 10.0.0.2:8080", "1.1.1.1"),
        ):
            self.assertEqual(self.client("10.0.0.1", "", chain), expected, chain)

    def test_strangers(self) -> None:
        """Nobody else is asked."""
        self.assertEqual(self.client("9.9.9.9", "for=8.8.8.8", "8.8.8.8"), "9.9.9.9")

    def test_forwarded(self) -> None:
        """``Forwarded`` counts before the other header, if it says it."""
        for header, expected in (
            ("for=1.1.1.1, for=8.8.8.8", "8.8.8.8"),
            ('for="[2001:db8::7]:4711"', "2001:db8::7"),
            ("for=_hidden", "10.0.0.1"),
            ("proto=https", "7.7.7.7"),
            ("for=8.8.8.8, !", "7.7.7.7"),
        ):
            self.assertEqual(self.client("10.0.0.1", header, "7.7.7.7"), expected)


class WordTests(TestCase):
    """How addresses are written."""

    def test_addresses(self) -> None:
        """With a port, or brackets, or none."""
        for text, expected in (
            (" 1.2.3.4 ", "1.2.3.4"),
            ("1.2.3.4:80", "1.2.3.4"),
            ("2001:DB8::1", "2001:db8::1"),
            ("[::1]", "::1"),
            ("[::1]:80", "::1"),
            ("::1:80", "::1:80"),
            ("[::1", None),
            ("1.2.3.4:999999", None),
            ("", None),
            ("a.example", None),
        ):
            self.assertEqual(hop_address(text), expected, text)

    def test_elements(self) -> None:
        """All elements are read, empty ones too."""
        found = list(forwarded_elements('for=a;proto="h,s", ;, for="b\\"c"'))
        self.assertEqual(found, [{"for": "a", "proto": "h,s"}, {}, {"for": 'b"c'}])
        self.assertEqual(list(forwarded_elements("for=a, =")), [])
