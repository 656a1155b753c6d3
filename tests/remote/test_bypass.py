"""Hosts that are reached without a proxy."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.remote.bypass import Bypass


class BypassTests(SynchronousTestCase):
    """``NO_PROXY``, as Go reads it."""

    def test_no_proxy(self) -> None:
        """Names, what is below them, addresses, networks, ports, and the loopback."""
        text = (
            "below.test, .dotted.test ,*.starred.test,10.0.0.1,10.2.0.0/16,ported.test"
            ":8443,[fd00::1]:5000,fd01::/16,10.9.9.9:80,UPPER.test"
        )
        bypass = Bypass.parse(text)
        for host, port, expected in (
            ("below.test", 443, True),
            ("a.below.test", 443, True),
            ("notbelow.test", 443, False),
            ("dotted.test", 443, False),
            ("a.dotted.test", 443, True),
            ("starred.test", 443, False),
            ("a.starred.test", 443, True),
            ("10.0.0.1", 80, True),
            ("10.0.0.2", 80, False),
            ("10.2.3.4", 80, True),
            ("ported.test", 8443, True),
            ("ported.test", 443, False),
            ("fd00::1", 5000, True),
            ("fd00::1", 80, False),
            ("[fd01::7]", 80, True),
            ("10.9.9.9", 80, True),
            ("10.9.9.9", 443, False),
            ("upper.test.", 443, True),
            ("localhost", 5000, True),
            ("127.8.0.1", 5000, True),
            ("::1", 5000, True),
            ("docker.io", 443, False),
        ):
            found = (host, port, bypass.covers(host, port))
            self.assertEqual(found, (host, port, expected))
        self.assertTrue(Bypass.parse("x, *").covers("docker.io", 443))
        self.assertFalse(Bypass.parse("").covers("docker.io", 443))
