"""The server of one listener."""

from __future__ import annotations

from tests.web.test_web import WebCase
from txregistry.testing.repositories import image_manifest
from txregistry.testing.upstream import Fault


class PrefixTests(WebCase):
    """A prefix before /v2/."""

    prefix = "/cache"

    def test_prefix(self) -> None:
        """Only below the prefix is there a registry; links keep it."""
        self.assertEqual(self.get("/cache/v2/").status, 200)
        self.assertEqual(self.get("/v2/").status, 404)
        self.house.upstream.add_manifest("a/b", image_manifest(), "v2")
        got = self.get("/cache/v2/a/b/tags/list?n=1")
        self.assertIn("</cache/v2/a/b/tags/list?", got.header("Link"))


class DrainTests(WebCase):
    """Stopping while requests are under way."""

    def test_drain_waits_for_answers(self) -> None:
        """Answers under way are finished, and the connections closed."""
        self.house.upstream.rate = 20_000
        asked = self.house.ask("GET", self.blob_path)
        self.house.pump()
        drained = self.house.site.drain(30)
        self.assertNoResult(drained)
        got = self.house.settle(asked)
        self.assertEqual((got.broken, got.body), (False, self.content))
        self.successResultOf(drained)

    def test_drain_does_not_wait_for_ever(self) -> None:
        """What takes too long is cut."""
        self.house.upstream.faults.append(Fault("/blobs/", hang=True, times=9))
        asked = self.house.ask("GET", self.blob_path)
        asked.addErrback(lambda failure: None)
        self.house.pump()
        drained = self.house.site.drain(5)
        self.house.clock.advance(5)
        self.successResultOf(drained)
        self.house.pump()
        self.assertEqual(self.house.wire.open_connections, 0)
