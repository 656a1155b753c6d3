"""Blobs that nobody reads now."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.interfaces.fills import IBlobFetcher
from txregistry.proxy import fetching
from txregistry.proxy.fetching import BlobFetcher
from txregistry.spec.digest import Digest
from txregistry.spec.errors import BlobUnknown, RegistryError
from txregistry.spec.reference import RepositoryName
from txregistry.storage.tree import layout
from txregistry.testing.house import TestHouse
from txregistry.testing.upstream import Fault

CONTENT = os.urandom(400_000)
DIGEST = Digest.of(CONTENT)


class FetchingTests(SynchronousTestCase):
    """They are downloaded to their end."""

    def setUp(self) -> None:
        self.house = TestHouse()
        self.house.upstream.add_blob("a", CONTENT)
        self.fetcher = BlobFetcher(self.house.fills._fills)
        repository = self.house.proxy.repository(RepositoryName("a"))
        self.blobs = self.house.settle(repository).blobs

    def fetch(self, digest: Digest = DIGEST) -> None:
        self.house.settle(self.fetcher.fetch(blobs=self.blobs, digest=digest))

    def gets(self) -> int:
        return self.house.upstream.count("GET", "/blobs/")

    def test_fetched_once(self) -> None:
        """What is stored is not fetched again."""
        verifyObject(IBlobFetcher, self.fetcher)
        self.fetch()
        self.assertIn(layout.blob_data(DIGEST), self.house.paths())
        self.fetch()
        self.assertEqual(self.gets(), 1)

    def test_written(self) -> None:
        """How far it has come can be asked for."""
        self.house.upstream.rate = 200_000
        done = self.fetcher.fetch(blobs=self.blobs, digest=DIGEST)
        self.assertFalse(done.called)
        for _ in range(20):
            self.house.pump()
            self.house.clock.advance(0.05)
        written = self.fetcher.written(DIGEST)
        self.assertTrue(written is not None and 50_000 < written < 400_000, written)
        self.house.settle(done)
        self.assertIsNone(self.fetcher.written(DIGEST))

    def test_gives_way(self) -> None:
        """A download that ended for others is begun again, where it was."""
        self.house.fills.limit(90.0, 1)
        self.house.upstream.rate = 200_000
        other = os.urandom(100_000)
        wanted = self.house.upstream.add_blob("a", other)
        done = self.fetcher.fetch(blobs=self.blobs, digest=DIGEST)
        for _ in range(20):
            self.house.pump()
            self.house.clock.advance(0.05)
        got = self.house.get(f"/v2/a/blobs/{wanted}")
        self.assertEqual(got.body, other)
        self.house.settle(done)
        self.assertIn(layout.blob_data(DIGEST), self.house.paths())

    def test_fails(self) -> None:
        """What the upstream does not have, or never sends whole, fails."""
        self.assertRaises(BlobUnknown, self.fetch, Digest.of(b"other"))
        self.patch(fetching, "MAX_ATTEMPTS", 3)
        fault = Fault("/blobs/", 10**6, cut_after=0)
        self.house.upstream.faults.append(fault)
        self.assertRaises(RegistryError, self.fetch)
        self.assertNotIn(layout.blob_data(DIGEST), self.house.paths())
