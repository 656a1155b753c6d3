"""Expiry on a clock: every rule of what goes and what stays."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow.streams import BoundedConsumer
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName
from txregistry.storage.tree import layout
from txregistry.testing.house import TestHouse

TTL = 1000.0


class ExpiryCase(SynchronousTestCase):
    """A cache that keeps things for a thousand seconds after their last use."""

    def setUp(self) -> None:
        self.house = TestHouse(ttl=TTL)
        self.house.scheduler.startService()
        self.content = b"layer" * 1000
        self.blob = self.house.upstream.add_blob("a", self.content)
        self.house.upstream.add_blob("b/c", self.content)
        self.target = f"/v2/a/blobs/{self.blob}"

    def tearDown(self) -> None:
        self.successResultOf(self.house.scheduler.stopService())

    def pass_time(self, seconds: float) -> None:
        while seconds > 0:
            self.house.clock.advance(min(seconds, 50))
            seconds -= 50

    def is_stored(self, digest: Digest) -> bool:
        return layout.blob_data(digest) in self.house.paths()

    def local(self, name: str):
        found = self.house.local.repository(RepositoryName(name))
        return self.successResultOf(found)

    def ok(self, done):
        return self.successResultOf(done)


class ExpiryTests(ExpiryCase):
    """What goes and what stays."""

    def test_unused_content_goes(self) -> None:
        """After the time to live, data, links and directories are gone."""
        self.house.get(self.target)
        self.pass_time(TTL - 100)
        self.assertTrue(self.is_stored(self.blob))
        self.pass_time(250)
        self.assertEqual(self.house.paths(), [])
        evicted = self.house.count(
            "registry_proxy_evicted_bytes_total",
            type="blob",
            upstream="upstream.example",
        )
        self.assertEqual(evicted, len(self.content))

    def test_use_counts(self) -> None:
        """The time to live counts from the last use."""
        self.house.get(self.target)
        for _ in range(5):
            self.pass_time(TTL - 200)
            self.house.get(self.target)
        self.assertEqual(self.house.upstream.count("GET", "/blobs/"), 1)

    def test_what_is_being_read_stays(self) -> None:
        """A reader keeps content, and the repository's link to it."""
        self.house.get(self.target)
        reader = self.successResultOf(self.local("a").blobs.open(digest=self.blob))
        self.pass_time(5000)
        self.assertTrue(self.is_stored(self.blob))
        consumer = BoundedConsumer(10_000)
        self.successResultOf(reader.read(consumer=consumer))
        self.assertEqual(consumer.content, self.content)
        reader.close()
        self.pass_time(1200)
        self.assertFalse(self.is_stored(self.blob))

    def test_expired_content_is_fetched_again(self) -> None:
        """What has gone comes back whole when it is asked for."""
        self.house.get(self.target)
        self.pass_time(1500)
        got = self.house.get(self.target)
        self.assertEqual((got.status, got.body), (200, self.content))
