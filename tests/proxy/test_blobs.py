"""Blobs of a cache."""

from __future__ import annotations

from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.locating import LocatingDriver
from tests.proxy.test_tags import TagCase
from txregistry.storage.tree import layout
from txregistry.testing.house import TestHouse
from txregistry.testing.upstream import Fault


class BlobTests(TagCase):
    """Damaged ones, and those of other repositories."""

    def test_linking_costs_no_second_download(self) -> None:
        """Content of another repository is linked once upstream confirms access."""
        content = b"shared" * 50_000
        digest = self.house.upstream.add_blob("lib/a", content)
        self.house.upstream.add_blob("lib/b", content)
        self.house.get(f"/v2/lib/a/blobs/{digest}")
        got = self.house.get(f"/v2/lib/b/blobs/{digest}")
        self.assertEqual(got.body, content)
        self.assertEqual(self.house.upstream.count("GET", "/blobs/"), 1)
        self.assertEqual(self.house.get(f"/v2/lib/c/blobs/{digest}").status, 404)

    def test_truncated_blob_heals(self) -> None:
        """A stored blob that has lost its end is fetched again."""
        digest = self.house.upstream.add_blob("lib/x", b"x" * 1000)
        target = f"/v2/lib/x/blobs/{digest}"
        self.house.get(target)
        path = next(p for p in self.house.paths() if digest.hex + "/data" in p)
        self.successResultOf(self.house.driver.put(path, b"x" * 10))
        self.assertEqual(self.house.get(target).body, b"x" * 1000)

    def test_vanished_blob_heals(self) -> None:
        """A stored blob whose data went away behind our back is fetched again."""
        digest = self.house.upstream.add_blob("lib/x", b"x" * 1000)
        target = f"/v2/lib/x/blobs/{digest}"
        self.house.get(target)
        path = next(p for p in self.house.paths() if digest.hex + "/data" in p)
        self.successResultOf(self.house.driver.delete(path))
        self.assertEqual(self.house.get(target).body, b"x" * 1000)


class BytesTests(SynchronousTestCase):
    """Bytes that clients got."""

    def test_of_hits(self) -> None:
        """What was here already is counted apart, as is a part of it."""
        house = TestHouse()
        digest = house.upstream.add_blob("lib/x", b"x" * 100_000)

        def counted() -> tuple[float, float]:
            labels = {"type": "blob", "upstream": "upstream.example"}
            names = ("pushed_bytes", "hit_bytes")
            served, of_hits = (
                house.count(f"registry_proxy_{name}_total", **labels) for name in names
            )
            return served, of_hits

        path = f"/v2/lib/x/blobs/{digest}"
        house.get(path)
        self.assertEqual(counted(), (100_000, 0))
        house.get(path)
        self.assertEqual(counted(), (200_000, 100_000))
        house.get(path, Range="bytes=0-9")
        self.assertEqual(counted(), (200_010, 100_010))

    def test_of_stale(self) -> None:
        """What an upstream that is away did not permit anew is counted as stale."""
        house = TestHouse(recheck=60.0)
        digest = house.upstream.add_blob("lib/x", b"x" * 1000)
        path = f"/v2/lib/x/blobs/{digest}"
        names = ("stale", "stale_bytes", "hit_bytes")

        def counted() -> list[float]:
            self.assertEqual(house.get(path).status, 200)
            labels = {"type": "blob", "upstream": "upstream.example"}
            return [
                house.count(f"registry_proxy_{name}_total", **labels) for name in names
            ]

        self.assertEqual(counted(), [0, 0, 0])
        house.clock.advance(61)
        self.assertEqual(counted(), [0, 0, 1000])
        house.upstream_wire.refused = Refused()
        house.clock.advance(61)
        self.assertEqual(counted(), [1, 1000, 2000])


class LocatedTests(SynchronousTestCase):
    """A cache whose storage has URLs."""

    recheck = 0.0

    def setUp(self) -> None:
        clock = Clock()
        self.driver = LocatingDriver(clock)
        self.house = TestHouse(clock=clock, driver=self.driver, recheck=self.recheck)
        self.digest = self.house.upstream.add_blob("lib/x", b"x" * 1000)
        self.path = f"/v2/lib/x/blobs/{self.digest}"

    def test_streamed_while_it_fills(self) -> None:
        """Who comes first, and who joins, gets bytes; who comes after is sent on."""
        self.assertEqual(self.house.head(self.path).status, 200)
        two = [self.house.ask("GET", self.path) for _ in range(2)]
        self.assertEqual([self.house.settle(one).status for one in two], [200, 200])
        self.assertEqual(self.house.upstream.count("GET", "/blobs/"), 1)
        for got in (self.house.get(self.path), self.house.head(self.path)):
            self.assertEqual((got.status, got.body), (307, b""))
            self.assertIn(self.digest.hex, got.header("Location"))
            self.assertEqual(got.header("Cache-Status"), "txregistry; hit")

    def test_counted(self) -> None:
        """It is a request, a hit and a use, and no byte of ours."""
        self.house.get(self.path)
        served, used = self.counted("served_bytes"), self.used_at()
        self.house.clock.advance(60)
        self.house.get(self.path)
        self.assertEqual((self.counted("requests"), self.counted("hits")), (2, 1))
        self.assertEqual(self.counted("served_bytes"), served)
        self.assertGreater(self.used_at(), used)

    def counted(self, what: str) -> float:
        labels = {"type": "blob", "upstream": "upstream.example"}
        return self.house.count(f"registry_proxy_{what}_total", **labels)

    def used_at(self) -> float:
        self.house.clock.advance(60)
        ledger = self.house.ledger
        (entry,) = self.successResultOf(ledger.due(self.house.clock.seconds(), 10))
        return entry.last_use

    def test_of_another_repository(self) -> None:
        """What another one fetched is linked with the upstream's consent, and given."""
        self.house.get(self.path)
        self.house.upstream.add_blob("lib/y", b"x" * 1000)
        other = self.path.replace("/x/", "/y/")
        self.assertEqual([self.house.get(other).status for _ in "12"], [200, 307])
        stranger = self.path.replace("/x/", "/z/")
        self.assertEqual(self.house.get(stranger).status, 404)

    def test_damaged(self) -> None:
        """What the storage damaged is fetched again, for the same request."""
        self.house.get(self.path)
        path = layout.blob_data(self.digest)
        self.successResultOf(self.driver.put(path, b"y" * 1000))
        got = self.house.get(self.path)
        self.assertEqual((got.status, got.body), (200, b"x" * 1000))


class RecheckedTests(LocatedTests):
    """The same, where the upstream is asked again each minute."""

    recheck = 60.0

    def test_refused(self) -> None:
        """Who may not have it any more is sent nowhere."""
        self.house.get(self.path)
        self.assertEqual(self.house.get(self.path).status, 307)
        self.house.clock.advance(61)
        self.house.upstream.faults.append(Fault("/blobs/", times=99, status=403))
        got = self.house.get(self.path)
        self.assertEqual(got.status, 403)
        self.assertIsNone(got.header("Location"))

    def test_outage(self) -> None:
        """While it is away, what is stored is given, and said to be stale."""
        self.house.get(self.path)
        self.house.clock.advance(61)
        self.house.upstream.faults.append(Fault("/blobs/", times=99, status=503))
        got = self.house.get(self.path)
        self.assertEqual(got.status, 307)
        self.assertIn("fwd=stale", got.header("Cache-Status"))
