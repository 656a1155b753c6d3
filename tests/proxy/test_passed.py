"""Blobs that are not stored."""

from __future__ import annotations

import errno
import json
import os

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.limited import LimitedDriver
from txregistry.proxy.passing import REFUSED_SECONDS
from txregistry.proxy.state import HELD_BACK_BYTES
from txregistry.storage.tree import layout
from txregistry.testing.house import TestHouse
from txregistry.testing.repositories import image_manifest
from txregistry.testing.upstream import Fault

SIZE = 1_000_000


class FullCase(SynchronousTestCase):
    """A cache whose disk has room for half of a blob."""

    def setUp(self) -> None:
        clock = Clock()
        clock.advance(1_700_000_000)
        self.driver = LimitedDriver(clock, SIZE // 2)
        self.house = TestHouse(clock=clock, driver=self.driver)
        self.upstream = self.house.upstream
        self.content = os.urandom(SIZE)
        self.digest = self.upstream.add_blob("a", self.content)
        self.path = f"/v2/a/blobs/{self.digest}"

    def tearDown(self) -> None:
        self.assertFalse(self.house.fills._fills)
        self.assertFalse(self.house.content.leases.held(self.digest))
        self.assertEqual(self.house.clock.getDelayedCalls(), [])

    def unstored(self, kind: str = "blob") -> float:
        return self.house.count(
            "registry_proxy_unstored_total", type=kind, upstream="upstream.example"
        )


class PassedTests(FullCase):
    """The disk is full before, while or after a client comes."""

    def test_full_from_the_start(self) -> None:
        """Not a byte can be written: the client gets all, and nothing is stored."""
        self.driver.room = 0
        for number in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO):
            self.driver.number = number
            self.house.clock.advance(REFUSED_SECONDS)
            got = self.house.get(self.path)
            self.assertEqual((got.status, got.body), (200, self.content))
            self.assertNotIn("stored", got.header("Cache-Status"))
        self.assertEqual(self.house.paths(), [])
        self.assertEqual(self.unstored(), 4)

    def test_rate(self) -> None:
        """What is passed shares the rate of the upstream with downloads."""
        self.driver.room = 0
        self.house.fills.limit(90.0, 32, SIZE / 5)
        for asked in ({}, {"Range": "bytes=0-799999"}):
            began = self.house.clock.seconds()
            got = self.house.get(self.path, **asked)
            self.assertEqual(got.body, self.content[: len(got.body)])
            took = self.house.clock.seconds() - began
            self.assertGreater(took, 0.8 * 5 * len(got.body) / SIZE)
            self.assertLess(took, 1.2 * 5 * len(got.body) / SIZE)
        self.house.fills.limit(90.0, 32)

    def test_full_in_the_middle(self) -> None:
        """A client goes on where the disk stopped, and only the rest is asked for."""
        self.upstream.rate = SIZE // 2
        got = self.house.get(self.path)
        self.assertEqual((got.status, got.body), (200, self.content))
        self.assertEqual(self.house.paths(), [])
        self.assertEqual(self.upstream.count("GET", "/blobs/"), 2)
        ranges = [x for x in self.upstream.asked if "bytes=" in str(x)]
        self.assertEqual(len(ranges), 1)

    def test_many_in_the_middle(self) -> None:
        """So do all who followed, each with its range."""
        self.upstream.rate = SIZE // 2
        tail = f"bytes={SIZE - 10}-"
        asked = [
            self.house.ask("GET", self.path),
            self.house.ask("GET", self.path, Range="bytes=100-899999"),
            self.house.ask("GET", self.path, Range=tail),
        ]
        bodies = [self.house.settle(done).body for done in asked]
        expected = [self.content, self.content[100:900_000], self.content[-10:]]
        self.assertEqual(bodies, expected)

    def test_well_again(self) -> None:
        """When there is room, the next client's blob is stored."""
        self.house.get(self.path)
        self.driver.room = 2 * SIZE
        self.house.clock.advance(REFUSED_SECONDS)
        self.assertEqual(self.house.get(self.path).body, self.content)
        self.assertIn(layout.blob_data(self.digest), self.house.paths())
        self.assertEqual(
            self.house.get(self.path).header("Cache-Status"), "txregistry; hit"
        )

    def test_refused(self) -> None:
        """By configuration the client is told to come again."""
        self.house.fills.passing.is_allowed = False
        self.driver.room = 0
        got = self.house.get(self.path)
        self.assertEqual((got.status, got.header("Retry-After")), (503, "30"))
        (error,) = json.loads(got.body)["errors"]
        self.assertIn("no room", error["message"])

    def test_refused_in_the_middle(self) -> None:
        """What has begun is cut off, as it cannot become an error any more."""
        self.house.fills.passing.is_allowed = False
        self.upstream.rate = SIZE // 2
        got = self.house.get(self.path)
        self.assertEqual((got.status, got.broken), (200, True))

    def test_corrupt(self) -> None:
        """What does not match its digest never ends well."""
        self.driver.room = 0
        self.upstream.faults.append(Fault("/blobs/", times=9, corrupt=10))
        got = self.house.get(self.path)
        self.assertTrue(got.broken)
        self.assertLessEqual(len(got.body), SIZE - HELD_BACK_BYTES)

    def test_cut(self) -> None:
        """A body that breaks off is resumed."""
        self.driver.room = 0
        self.upstream.faults.append(Fault("/blobs/", cut_after=SIZE // 3))
        self.upstream.faults.append(Fault("/blobs/", cut_after=SIZE // 3))
        got = self.house.get(self.path)
        self.assertEqual((got.broken, got.body), (False, self.content))

    def test_ranges(self) -> None:
        """Any range is what it should be; the middle costs no more than itself."""
        self.driver.room = 0
        for first, last in ((0, 99), (5000, 5999), (SIZE - 5, SIZE - 1), (0, SIZE - 1)):
            got = self.house.get(self.path, Range=f"bytes={first}-{last}")
            self.assertEqual(got.body, self.content[first : last + 1])
            self.assertEqual(got.status, 206)
        pulled = self.house.count(
            "registry_proxy_pulled_bytes_total",
            type="blob",
            upstream="upstream.example",
        )
        self.assertLessEqual(pulled, 3 * SIZE)

    def test_head(self) -> None:
        """HEAD needs no room."""
        self.driver.room = 0
        got = self.house.head(self.path)
        self.assertEqual((got.status, got.header("Content-Length")), (200, str(SIZE)))

    def test_client_that_leaves(self) -> None:
        """Its download ends with it."""
        self.driver.room = 0
        self.upstream.rate = SIZE // 4
        asked = self.house.ask("GET", self.path)
        for _ in range(20):
            self.house.pump()
            self.house.clock.advance(0.05)
        asked.addErrback(lambda _: None)
        for pump in self.house.wire._pumps:
            pump.client.transport.loseConnection()
        for _ in range(400):
            self.house.pump()
            self.house.clock.advance(0.05)
        self.assertFalse(self.house.clock.getDelayedCalls())

    def test_stored_content_cannot_be_linked(self) -> None:
        """Another repository gets what is stored, although no link can be written."""
        self.driver.room = 10 * SIZE
        self.upstream.add_blob("b", self.content)
        self.house.get(self.path)
        self.driver.room = 0
        got = self.house.get(f"/v2/b/blobs/{self.digest}")
        self.assertEqual((got.status, got.body), (200, self.content))
        self.assertEqual(self.house.get(self.path).body, self.content)


class ManifestTests(FullCase):
    """Manifests and tags on a full disk."""

    def test_passed_on(self) -> None:
        """They come from the upstream each time, by tag and by digest."""
        digest = self.upstream.add_manifest("a", image_manifest(), "v1")
        self.driver.room = 0
        for reference in ("v1", digest, "v1"):
            got = self.house.get(f"/v2/a/manifests/{reference}")
            self.assertEqual((got.status, got.body), (200, image_manifest()))
        self.assertEqual(self.house.paths(), [])
        self.assertGreater(self.unstored("manifest"), 0)
        self.assertEqual(
            [
                entry.key
                for entry in self.successResultOf(self.house.ledger.entries())
                if entry.key.kind.value == "manifest"
            ],
            [],
        )
        self.driver.room = 10 * SIZE
        self.house.clock.advance(100)
        self.assertEqual(self.house.get("/v2/a/manifests/v1").status, 200)
        self.assertNotEqual(self.house.paths(), [])

    def test_refused(self) -> None:
        """By configuration they are refused, too."""
        self.upstream.add_manifest("a", image_manifest(), "v1")
        self.house.fills.passing.is_allowed = False
        self.driver.room = 0
        self.assertEqual(self.house.get("/v2/a/manifests/v1").status, 503)
        self.flushLoggedErrors()

    def test_reads_need_no_room(self) -> None:
        """What is stored is served as before."""
        digest = self.upstream.add_manifest("a", image_manifest(), "v1")
        self.house.get("/v2/a/manifests/v1")
        self.driver.room = 0
        self.house.clock.advance(100)
        for reference in ("v1", digest):
            self.assertEqual(self.house.get(f"/v2/a/manifests/{reference}").status, 200)
        self.assertEqual(self.house.get("/v2/_catalog").status, 200)
        self.assertEqual(self.house.get("/v2/a/tags/list").status, 200)
