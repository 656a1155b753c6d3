"""The growing file of a fill, and the state beside it."""

from __future__ import annotations

import json

from zope.interface.verify import verifyObject

from tests.storage.test_namespace import StorageCase
from txregistry.interfaces.driver import DriverError, PathNotFound
from txregistry.interfaces.fills import FillCheckpoint, IPartialBlob
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.storage.tree import layout


class PartialTests(StorageCase):
    """Growing files by digest."""

    def open(self, digest: Digest) -> IPartialBlob:
        return self.ok(self.house.partials.open(digest=digest))

    def test_resume_keeps_what_was_synced(self) -> None:
        """What came after the checkpoint is cut off; what came before is hashed."""
        digest = Digest.of(b"0123456789")
        partial = self.open(digest)
        verifyObject(IPartialBlob, partial)
        partial.write(b"01234")
        self.ok(partial.checkpoint(state=FillCheckpoint(5, 10, '"tag"')))
        partial.write(b"garbage")
        self.ok(partial.close())
        again = self.open(digest)
        self.assertEqual((again.size, again.resumed.validator), (5, '"tag"'))
        again.write(b"56789")
        found = self.ok(again.commit(provisional=Descriptor(digest, 10)))
        self.assertEqual(found.digest, digest)
        self.assertEqual(self.house.paths(), [layout.blob_data(digest)])

    def test_state_without_data(self) -> None:
        """A state that promises what is not there begins anew."""
        digest = Digest.of(b"x")
        state = json.dumps({"offset": 9, "size": 1, "validator": None}).encode()
        self.ok(self.house.driver.put(layout.fill_state(digest), state))
        self.assertEqual(self.open(digest).size, 0)

    def test_broken_state(self) -> None:
        """So does a state that cannot be read."""
        digest = Digest.of(b"x")
        for state in (
            b"",
            b"[]",
            b"{}",
            b"[" * 100_000,
            b'{"offset": "a", "size": 1, "validator": null}',
            b'{"offset": 0, "size": "a", "validator": null}',
            b'{"offset": 0, "size": 1, "validator": 2}',
            b'{"offset": -1, "size": 1, "validator": null}',
        ):
            self.ok(self.house.driver.put(layout.fill_state(digest), state))
            partial = self.open(digest)
            self.assertEqual((partial.size, partial.resumed), (0, None))
            self.ok(partial.close())

    def test_purge_spares_what_is_open(self) -> None:
        """Only partials nobody has open are deleted, however old."""
        digest = Digest.of(b"x")
        partial = self.open(digest)
        partial.write(b"y")
        self.house.clock.advance(1_000_000)
        self.ok(self.house.partials.purge(before=self.house.clock.seconds()))
        self.assertTrue(self.exists(layout.fill_data(digest)))
        self.ok(partial.close())
        self.ok(self.house.partials.purge(before=self.house.clock.seconds()))
        self.assertEqual(self.house.paths(), [])

    def test_found(self) -> None:
        """Those that nobody has open, at the sizes that were announced."""
        known, unknown, busy = (Digest.of(x) for x in (b"1", b"2", b"3"))
        self.assertEqual(self.ok(self.house.partials.found()), [])
        for digest, size in ((unknown, None), (known, 100)):
            partial = self.open(digest)
            partial.write(b"12345")
            self.ok(partial.checkpoint(state=FillCheckpoint(5, size, None)))
            self.ok(partial.close())
            self.house.clock.advance(10)
        held = self.open(busy)
        found = self.ok(self.house.partials.found())
        sizes = [(partial.digest, partial.size) for partial in found]
        self.assertEqual(sizes, [(unknown, 5), (known, 100)])
        self.ok(held.cancel())

    def test_discard(self) -> None:
        """One that nobody has open can be deleted at once."""
        digest = Digest.of(b"x")
        partial = self.open(digest)
        partial.write(b"y")
        self.assertFalse(self.ok(self.house.partials.discard(digest=digest)))
        self.ok(partial.close())
        self.assertTrue(self.ok(self.house.partials.discard(digest=digest)))
        self.assertFalse(self.ok(self.house.partials.discard(digest=digest)))
        self.assertEqual(self.house.paths(), [])

    def test_readers_hold_a_lease(self) -> None:
        """Who reads the growing file holds what is stored of it, to the end."""
        digest, leases = Digest.of(b"x"), self.house.content.leases
        partial = self.open(digest)
        partial.write(b"x")
        file = self.ok(partial.reader())
        self.assertTrue(leases.held(digest))
        self.ok(partial.commit(provisional=Descriptor(digest, 1)))
        self.assertTrue(leases.held(digest))
        file.close()
        self.assertFalse(leases.held(digest))
        self.failureResultOf(partial.reader(), PathNotFound)
        self.assertFalse(leases.held(digest))

    def test_leftovers_that_cannot_be_deleted(self) -> None:
        """What is stored is stored, although its state cannot be deleted."""
        digest = Digest.of(b"x")
        partial = self.open(digest)
        partial.write(b"x")

        def refuse(path: str, durable: bool = True) -> None:
            raise DriverError("inmemory", path, "no space left")

        self.patch(
            type(self.house.driver), "delete", lambda _, path, **how: refuse(path)
        )
        found = self.ok(partial.commit(provisional=Descriptor(digest, 1)))
        self.assertEqual(found.digest, digest)
        self.assertTrue(self.exists(layout.blob_data(digest)))
