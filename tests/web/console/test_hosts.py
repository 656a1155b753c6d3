"""Names that are ours."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.web.console.cases import ConsoleCase
from txregistry.web.console.hosts import is_ours


class HostsTests(SynchronousTestCase):
    """Addresses, this machine, and what is listed."""

    def test_names(self) -> None:
        """With a port or without, whatever its case; nothing that only begins so."""
        for host, ours in (
            ("127.0.0.1:5001", True),
            ("10.0.0.7", True),
            ("[::1]:5001", True),
            ("::1", True),
            ("localhost:5001", True),
            ("LOCALHOST", True),
            ("cache.example:5001", True),
            ("Cache.Example.", True),
            ("evil.example:5001", False),
            ("127.0.0.1.evil.example", False),
            ("localhost.evil.example", False),
            ("", False),
            ("[evil]:1", False),
        ):
            self.assertEqual(is_ours(host, {"cache.example"}), ours, host)
        self.assertTrue(is_ours("anything", {"*"}))


class RebindingTests(ConsoleCase):
    """A page of another site whose name leads to us."""

    hosts = ()

    def test_refused(self) -> None:
        """Nothing is told to it, and nothing done, whatever it asks for."""
        for path in ("/", "/api/v1/session", "/actions", "/live"):
            got = self.visit(path)
            self.assertEqual(got.status, 403)
            self.assertIn(b"http.admin.hosts", got.body)
        for method in ("GET", "POST"):
            self.assertIn(self.visit("/api/v1/jobs", method).status, (403, 405))
