"""What repositories hold that no upstream has."""

from __future__ import annotations

import os
from sqlite3 import OperationalError

import attrs
from twisted.internet.defer import fail
from twisted.trial.unittest import SynchronousTestCase

from txregistry.expiry.ledger_sqlite import SqliteLedger
from txregistry.flow.disk import InlineDisk
from txregistry.interfaces.blobs import BlobMount
from txregistry.interfaces.expiry import NEVER, Entry, EntryKey, Kind
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.globs import Glob
from txregistry.spec.manifest import lenient
from txregistry.spec.reference import RepositoryName, Tag
from txregistry.storage.content.local_links import LocalLinks, nobody
from txregistry.storage.tree import layout
from txregistry.testing.house import ONE_UPSTREAM, TestHouse
from txregistry.testing.repositories import image_manifest

TABLE = attrs.evolve(ONE_UPSTREAM, local=(Glob.parse("team/**"),))
TTL = 1000.0
LOCAL = RepositoryName("team/app")


class RecordTests(SynchronousTestCase):
    """The records alone."""

    def test_only_local_ones(self) -> None:
        """A link of a local repository is held for ever until it is gone."""
        ledger = SqliteLedger(":memory:", InlineDisk())
        key = EntryKey(LOCAL, Kind.BLOB, str(Digest.of(b"x")))
        LocalLinks(ledger).made(key)
        self.assertFalse(nobody(LOCAL))
        self.assertEqual(self.successResultOf(ledger.entries()), [])
        links = LocalLinks(ledger, TABLE.is_local)
        links.made(attrs.evolve(key, repository=RepositoryName("lib/a")))
        links.made(key)
        (entry,) = self.successResultOf(ledger.entries())
        self.assertEqual((entry.key, entry.last_use), (key, NEVER))
        links.gone(key)
        self.assertEqual(self.successResultOf(ledger.entries()), [])


class HouseTests(SynchronousTestCase):
    """A cache with local repositories, in which everything else expires."""

    def setUp(self) -> None:
        self.house = TestHouse(ttl=TTL, table=TABLE)
        self.content = os.urandom(5000)
        self.blob = self.house.upstream.add_blob("lib/a", self.content)

    def ok(self, done):
        return self.successResultOf(done)

    def pass_time(self, seconds: float) -> None:
        for _ in range(int(seconds // 50)):
            self.house.clock.advance(50)

    def local(self):
        return self.ok(self.house.local.repository(LOCAL))

    def is_stored(self, digest: Digest) -> bool:
        return layout.blob_data(digest) in self.house.paths()

    def test_shared_content_stays(self) -> None:
        """What was mounted from a cached repository outlives it there."""
        self.house.scheduler.startService()
        self.house.get(f"/v2/lib/a/blobs/{self.blob}")
        mount = BlobMount(self.blob, RepositoryName("lib/a"))
        self.ok(self.local().blobs.create(mount=mount))
        self.pass_time(3 * TTL)
        link = layout.layer_link(RepositoryName("lib/a"), self.blob)
        self.assertNotIn(link, self.house.paths())
        self.assertTrue(self.is_stored(self.blob))
        self.ok(self.local().blobs.delete(digest=self.blob))
        self.assertEqual(self.ok(self.house.ledger.holders(digest=self.blob)), set())
        self.ok(self.house.scheduler.stopService())

    def test_ledger_that_was_lost(self) -> None:
        """What only a local repository links stays also before it is recorded again."""
        self.house.get(f"/v2/lib/a/blobs/{self.blob}")
        mount = BlobMount(self.blob, RepositoryName("lib/a"))
        self.ok(self.local().blobs.create(mount=mount))
        self.house = house = TestHouse(
            ttl=TTL, table=TABLE, clock=self.house.clock, driver=self.house.driver
        )
        key = EntryKey(RepositoryName("lib/a"), Kind.BLOB, str(self.blob))
        expire = house.scheduler._reaper.functions()[Kind.BLOB]
        self.ok(expire(Entry(key, 5000, 0.0)))
        link = layout.layer_link(RepositoryName("lib/a"), self.blob)
        self.assertNotIn(link, house.paths())
        self.assertTrue(self.is_stored(self.blob))

    def test_database_that_refuses(self) -> None:
        """A link that was made is held, whatever of its push fails afterwards."""
        integrity = type(self.house.content.integrity)
        refused = fail(OperationalError("database or disk is full"))
        self.patch(integrity, "record_what_is_there", lambda *_: refused)
        writer = self.ok(self.local().blobs.create())
        writer.write(self.content)
        wanted = Descriptor(self.blob, len(self.content))
        self.failureResultOf(writer.commit(provisional=wanted), OperationalError)
        self.assertIn(layout.layer_link(LOCAL, self.blob), self.house.paths())
        self.assertEqual(self.ok(self.house.ledger.holders(digest=self.blob)), {LOCAL})
        self.ok(writer.close())

    def test_pushes_stay(self) -> None:
        """A manifest and its tags do not expire, nor after a restart."""
        manifest = lenient.read(image_manifest())
        tag = Tag.parse("v1")
        self.ok(self.local().manifests.put(manifest=manifest, tags=[tag]))
        for number in range(2):
            if number:
                self.house = TestHouse(
                    ttl=TTL,
                    table=TABLE,
                    clock=self.house.clock,
                    driver=self.house.driver,
                )
            self.house.scheduler.startService()
            self.pass_time(3 * TTL)
            self.assertEqual(
                self.ok(self.local().tags.get(tag=tag)).digest, manifest.digest
            )
            self.assertTrue(self.is_stored(manifest.digest))
            self.assertEqual(self.ok(self.house.ledger.stored()), 0)
            # A tag holds nothing, and nobody would forget the row of one that went.
            kinds = {entry.key.kind for entry in self.ok(self.house.ledger.entries())}
            self.assertEqual(kinds, {Kind.MANIFEST})
            self.ok(self.house.rebuild.export_state())
            self.ok(self.house.scheduler.stopService())
        self.ok(self.local().manifests.delete(digest=manifest.digest))
        holders = self.house.ledger.holders(digest=manifest.digest)
        self.assertEqual(self.ok(holders), set())

    def test_local_no_more(self) -> None:
        """What belongs to an upstream after a restart begins its life then."""
        self.ok(self.local().manifests.put(manifest=lenient.read(image_manifest())))
        self.house = TestHouse(
            ttl=TTL,
            clock=self.house.clock,
            given_ledger=self.house.ledger,
            driver=self.house.driver,
        )
        self.house.scheduler.startService()
        self.assertNotEqual(self.ok(self.house.ledger.stored()), 0)
        self.pass_time(3 * TTL)
        self.assertEqual(self.house.paths(), [])
        self.ok(self.house.scheduler.stopService())
