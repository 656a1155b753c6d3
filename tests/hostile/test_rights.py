"""A right that the upstream took away, where the cache asks for that."""

from __future__ import annotations

from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.trial.unittest import SynchronousTestCase

from txregistry.testing.answers import Got
from txregistry.testing.house import TestHouse
from txregistry.testing.repositories import image_manifest
from txregistry.testing.upstream import Fault


class RightTests(SynchronousTestCase):
    """A blob and a manifest that are cached, and asked for again after a minute."""

    recheck = 60.0

    def setUp(self) -> None:
        self.house = TestHouse(recheck=self.recheck)
        upstream = self.house.upstream
        blob = upstream.add_blob("a", b"{}")
        manifest = upstream.add_manifest("a", image_manifest(blob))
        self.paths = [f"/v2/a/blobs/{blob}", f"/v2/a/manifests/{manifest}"]
        for path in self.paths:
            self.assertEqual(self.house.get(path).status, 200)
        upstream.asked.clear()

    def both(self, path: str) -> list[Got]:
        return [self.house.get(path), self.house.head(path)]

    def questions(self) -> list[str]:
        return [asked.method for asked in self.house.upstream.asked]

    def test_taken_away(self) -> None:
        """What the upstream refuses is refused, and given again when it is."""
        for path in self.paths:
            for status in (401, 403, 404):
                self.house.clock.advance(61)
                fault = Fault(path, status=status, times=99)
                self.house.upstream.faults.append(fault)
                for got in self.both(path):
                    self.assertIn(got.status, (status, 401, 403, 404))
                    self.assertNotIn(b"schemaVersion", got.body)
                self.house.upstream.faults.clear()
                for got in self.both(path):
                    self.assertEqual(got.status, 200)

    def test_asked_once_a_minute(self) -> None:
        """Within the time nobody asks, and after it one question is enough."""
        for number in range(len(self.paths)):
            self.setUp()
            path = self.paths[number]
            self.both(path)
            self.assertEqual(self.questions(), [])
            self.house.clock.advance(61)
            for _ in range(3):
                for got in self.both(path):
                    self.assertEqual(got.status, 200)
            self.assertEqual(self.questions(), ["HEAD"])

    def test_after_a_restart(self) -> None:
        """The ledger knows what was given, and when."""
        rights = self.house.proxy._cache.rights  # type: ignore[attr-defined]
        for path in self.paths:
            rights._granted.clear()
            self.both(path)
        self.assertEqual(self.questions(), [])

    def test_outage(self) -> None:
        """While it cannot be asked, what is here is served, as stale."""
        self.house.clock.advance(61)
        self.house.upstream_wire.refused = Refused()
        for path in self.paths:
            for got in self.both(path):
                self.assertEqual(got.status, 200)
                self.assertIn("fwd=stale", got.header("Cache-Status") or "")
                self.assertIn("110", got.header("Warning") or "")


class UsualTests(RightTests):
    """Without the key."""

    recheck = 0.0

    def test_taken_away(self) -> None:
        """What is cached is given, whatever the upstream would say."""
        self.house.clock.advance(1e6)
        self.house.upstream_wire.refused = Refused()
        for path in self.paths:
            for got in self.both(path):
                self.assertEqual((got.status, got.header("Warning")), (200, None))

    def test_asked_once_a_minute(self) -> None:
        """Nobody asks."""
        self.test_taken_away()
        self.assertEqual(self.questions(), [])

    def test_outage(self) -> None:
        """An outage is not noticed."""
        self.test_taken_away()
