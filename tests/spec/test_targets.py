"""Which addresses an upstream may redirect to."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.targets import Reach, TrustedTarget, may_redirect, reach_of

PUBLIC, PRIVATE, LOOPBACK = "93.184.216.34", "10.1.2.3", "127.0.0.1"
METADATA = "169.254.169.254"


class ReachTests(SynchronousTestCase):
    """From where an address can be reached."""

    def test_reach(self) -> None:
        """Each kind of address, also as IPv6 writes one of IPv4."""
        for text, expected in (
            (PUBLIC, Reach.PUBLIC),
            ("2606:2800:220:1::1", Reach.PUBLIC),
            ("10.0.0.1", Reach.PRIVATE),
            ("172.31.0.1", Reach.PRIVATE),
            ("100.64.0.1", Reach.PRIVATE),
            ("fd12::1", Reach.PRIVATE),
            ("198.18.0.1", Reach.PRIVATE),
            ("240.0.0.1", Reach.PRIVATE),
            ("127.9.9.9", Reach.LOOPBACK),
            ("0.0.0.0", Reach.LOOPBACK),
            ("::", Reach.LOOPBACK),
            ("::1", Reach.LOOPBACK),
            ("::ffff:127.0.0.1", Reach.LOOPBACK),
            ("::127.0.0.1", Reach.LOOPBACK),
            ("64:ff9b::7f00:1", Reach.LOOPBACK),
            ("2002:7f00:1::", Reach.LOOPBACK),
            ("::ffff:10.0.0.1", Reach.PRIVATE),
            ("64:ff9b::a00:1", Reach.PRIVATE),
            ("64:ff9b::8.8.8.8", Reach.PUBLIC),
            (METADATA, Reach.LINK_LOCAL),
            ("::ffff:169.254.169.254", Reach.LINK_LOCAL),
            ("fe80::1%eth0", Reach.LINK_LOCAL),
            ("224.0.0.1", Reach.LINK_LOCAL),
            ("fd00:ec2::254", Reach.LINK_LOCAL),
            ("168.63.129.16", Reach.LINK_LOCAL),
            ("64:ff9b:1::169.254.169.254", Reach.LINK_LOCAL),
            ("::ffff:0:169.254.169.254", Reach.LINK_LOCAL),
            ("::ffff:0:192.0.2.1", Reach.PRIVATE),
            ("100.100.100.200", Reach.LINK_LOCAL),
        ):
            self.assertEqual((text, reach_of(text)), (text, expected))

    def test_link_local_leads_nowhere_nearer(self) -> None:
        """Not even an upstream that is at a link-local address leads to others."""
        self.assertFalse(may_redirect(Reach.LINK_LOCAL, "h", 80, METADATA, ()))
        self.assertTrue(may_redirect(Reach.LINK_LOCAL, "h", 80, PRIVATE, ()))

    def test_entries(self) -> None:
        """An entry is a host, an address or a network, perhaps with a port."""
        for text in ("Minio.lan", "minio:9000", "10.0.0.0/8", "[fd00::1]:9", "fd00::1"):
            TrustedTarget.parse(text)
        for text in ("http://minio", "", "10.0.0.1/8", "a b", "minio/path", "*"):
            self.assertRaises(ValueError, TrustedTarget.parse, text)

    def test_no_address(self) -> None:
        """What is no address is an error, not a public one."""
        for text in ("", "registry.example", "10.0.0", "10.0.0.1:80"):
            self.assertRaises(ValueError, reach_of, text)


class RedirectTests(SynchronousTestCase):
    """Nearer than the upstream itself is refused, unless it is trusted."""

    def test_table(self) -> None:
        """Outward and to the side is permitted, inward is not, link-local never."""
        for home, permitted in (
            (Reach.PUBLIC, {PUBLIC}),
            (Reach.PRIVATE, {PUBLIC, PRIVATE}),
            (Reach.LOOPBACK, {PUBLIC, PRIVATE, LOOPBACK}),
        ):
            for address in (PUBLIC, PRIVATE, LOOPBACK, METADATA):
                found = may_redirect(home, "h", 80, address, ())
                self.assertEqual(found, address in permitted, (home, address))

    def test_trusted(self) -> None:
        """An entry covers its host or network, at its port or at all."""
        for text, host, port, address, expected in (
            ("minio.lan", "Minio.LAN.", 80, PRIVATE, True),
            ("minio.lan", "evil.minio.lan", 80, PRIVATE, False),
            ("minio.lan:9000", "minio.lan", 9000, PRIVATE, True),
            ("minio.lan:9000", "minio.lan", 9001, PRIVATE, False),
            ("10.0.0.0/8", "anything", 1, PRIVATE, True),
            ("10.0.0.0/8", "anything", 1, "::ffff:10.1.2.3", True),
            ("10.0.0.0/8", "anything", 1, LOOPBACK, False),
            ("10.1.2.3:80", "x", 80, PRIVATE, True),
            ("10.1.2.3:80", "x", 81, PRIVATE, False),
            ("[fd00::1]:9", "x", 9, "fd00::1", True),
            ("fd00::1", "x", 9, "fd00::1", True),
            ("169.254.169.254", "x", 80, METADATA, True),
        ):
            entry = TrustedTarget.parse(text)
            found = may_redirect(Reach.PUBLIC, host, port, address, (entry,))
            self.assertEqual(found, expected, (text, host, port))
