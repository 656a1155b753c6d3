"""One blob goes from all repositories."""

from __future__ import annotations

import attrs
from twisted.internet.defer import CancelledError, Deferred

from tests.eviction.case import SIZE, RoomCase
from txregistry.flow.changes import CONTENT
from txregistry.interfaces.driver import DriverError
from txregistry.interfaces.expiry import Entry, EntryKey, Kind, Stored
from txregistry.spec.reference import RepositoryName


class EvictorTests(RoomCase):
    """What can happen while it goes."""

    def setUp(self) -> None:
        super().setUp()
        self.evictor = self.house.room._freeing.evictor
        self.blob = self.offer()
        self.house.upstream.add_blob("b", self.contents[self.blob])
        self.pull(self.blob)
        self.pull(self.blob, "b")
        (self.stored_blob,) = self.successResultOf(self.house.ledger.coldest(None, 9))

    def evict(self, stored: Stored | None = None) -> int:
        done = self.evictor.evict(stored or self.stored_blob)
        return self.successResultOf(done)

    def key(self, kind: Kind = Kind.BLOB, name: str = "a") -> EntryKey:
        return EntryKey(RepositoryName(name), kind, str(self.blob))

    def test_all_links(self) -> None:
        """Links, content and entries are gone; a client gets it anew."""
        self.assertEqual(self.evict(), SIZE)
        self.assertEqual(self.house.paths(), [])
        self.assertEqual(self.taken(), 0)
        self.assertEqual(self.evict(), 0)
        self.pull(self.blob, "b")

    def test_what_changes(self) -> None:
        """It is a change of each repository that had it, and of no other one."""
        changes = self.house.stored.changes
        then = changes.now
        self.assertEqual(self.evict(), SIZE)
        subjects = ("a", "b", "c", CONTENT)
        changed = [subject for subject in subjects if changes.since(then, subject)]
        self.assertEqual(changed, ["a", "b", CONTENT])

    def test_used_since(self) -> None:
        """What was used since it was looked at stays as it is."""
        self.pull(self.blob)
        self.assertEqual(self.evict(), 0)
        self.assertTrue(self.is_linked(self.blob, "a"))
        self.assertTrue(self.is_linked(self.blob, "b"))

    def test_manifests_stay(self) -> None:
        """What some repository has as a manifest stays."""
        self.house.ledger.add(Entry(self.key(Kind.MANIFEST, "c"), SIZE, 1.0))
        self.assertEqual(self.evict(), 0)
        self.assertTrue(self.is_linked(self.blob))

    def test_reader_at_the_last_moment(self) -> None:
        """Content that is read stays, and goes the next time."""
        release = self.house.content.leases.take(self.blob)
        self.assertEqual(self.evict(), 0)
        self.assertTrue(self.is_stored(self.blob))
        self.assertEqual(self.taken(), SIZE)
        release()
        self.assertEqual(self.evict(), SIZE)
        self.assertEqual(self.house.paths(), [])

    def test_disk_that_fails(self) -> None:
        """What could not be deleted is counted, and tried again."""
        real = self.driver.delete

        def refuse(path: str, durable: bool = True) -> None:
            raise DriverError("inmemory", path, "broken")

        self.driver.delete = refuse
        self.failureResultOf(self.evictor.evict(self.stored_blob), DriverError)
        self.assertEqual(self.taken(), SIZE)
        self.driver.delete = real
        self.assertEqual(self.evict(), SIZE)
        self.assertEqual(self.house.paths(), [])

    def test_cancelled(self) -> None:
        """Who stops waiting for a disk that is slow leaves no half of a blob."""
        real, waiting = self.driver.delete, []

        def slow(path: str, durable: bool = True) -> Deferred[None]:
            waiting.append(Deferred())
            return waiting[-1].addCallback(lambda _: real(path, durable))

        self.driver.delete = slow
        done = self.evictor.evict(self.stored_blob)
        done.cancel()
        self.failureResultOf(done, CancelledError)
        for step in waiting:  # it grows meanwhile
            step.callback(None)
        self.assertEqual(self.house.paths(), [])
        self.assertEqual(self.taken(), 0)

    def test_content_that_has_gone(self) -> None:
        """What somebody else has deleted is counted no more."""
        self.successResultOf(self.driver.delete("/docker/registry/v2"))
        seen = attrs.evolve(self.stored_blob, last_use=1e10)
        self.assertEqual(self.evict(seen), 0)
