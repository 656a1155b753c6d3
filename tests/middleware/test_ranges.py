"""Sets of addresses."""

from __future__ import annotations

import json
from ipaddress import ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txregistry.middleware.ranges import AddressRanges, read_ranges

NETWORKS = st.lists(
    st.builds(
        lambda a, b, size: str(ip_network(f"10.0.{a}.{b}/{size}", strict=False)),
        st.integers(0, 7),
        st.integers(0, 255),
        st.integers(21, 32),
    ),
    max_size=12,
)

LIST = {
    "syncToken": "1",
    "prefixes": [
        {"ip_prefix": "3.5.140.0/22", "region": "ap-northeast-2", "service": "AMAZON"},
        {"ip_prefix": "52.94.0.0/22", "region": "us-east-1", "service": "S3"},
    ],
    "ipv6_prefixes": [{"ipv6_prefix": "2a05:d07a:a000::/40", "region": "eu-south-1"}],
}


def read(*regions: str, **changes: object) -> AddressRanges:
    return read_ranges(json.dumps({**LIST, **changes}).encode(), set(regions))


class AddressTests(SynchronousTestCase):
    """What is in a set."""

    @given(NETWORKS, st.integers(0, 2047))
    def test_like_each_by_itself(self, networks: list[str], number: int) -> None:
        """It contains what one of its networks does."""
        address = ip_address("10.0.0.0") + number
        expected = any(address in ip_network(network) for network in networks)
        self.assertEqual(str(address) in AddressRanges.of(networks), expected)

    def test_edges(self) -> None:
        """The first and the last address are in it, and their neighbours not."""
        ranges = AddressRanges.of(["10.0.0.4/30", "10.0.0.8/29", "fd00::/64"])
        self.assertEqual(len(ranges), 2)
        for address in ("10.0.0.4", "10.0.0.15", "fd00::", "fd00::ffff:0:0:0"):
            self.assertIn(address, ranges)
        for address in ("10.0.0.3", "10.0.0.16", "fcff::1", "fd00:0:0:1::"):
            self.assertNotIn(address, ranges)

    def test_forms(self) -> None:
        """An address is one in each of its forms; a name, or nothing, is none."""
        ranges = AddressRanges.of(["10.0.0.0/8", "fe80::/10", "nonsense", ""])
        for address in ("::ffff:10.1.2.3", "[fe80::1]", "fe80::1%eth0"):
            self.assertIn(address, ranges)
        for address in ("", "-", "unknown", "10.0.0", "10.0.0.0/8"):
            self.assertNotIn(address, ranges)
        self.assertNotIn("10.0.0.1", AddressRanges())


class ListTests(SynchronousTestCase):
    """The list of AWS."""

    def test_all(self) -> None:
        """Both families, whatever the service."""
        for address in ("3.5.143.255", "52.94.0.1", "2a05:d07a:a0ff::1"):
            self.assertIn(address, read())
        self.assertNotIn("3.5.144.0", read())

    def test_regions(self) -> None:
        """Those of some regions."""
        found = read("eu-south-1", "us-east-1")
        self.assertIn("52.94.0.1", found)
        self.assertIn("2a05:d07a:a000::1", found)
        self.assertNotIn("3.5.140.1", found)

    def test_odd_entries(self) -> None:
        """What is no entry is passed over."""
        found = read(ipv6_prefixes={}, prefixes=[1, {}, {"ip_prefix": "1.2.3.4/32"}])
        self.assertEqual(len(found), 1)

    def test_refused(self) -> None:
        """What is no list, or has nothing, is told, so that the old one stays."""
        for document in (b"", b"[]", b"{}", b"<html>", b"[" * 100_000, b"\xff"):
            self.assertRaises(ValueError, read_ranges, document, ())
        self.assertRaises(ValueError, read, "mars-1")
