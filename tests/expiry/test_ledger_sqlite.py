"""The ledger."""

from __future__ import annotations

import sqlite3

from twisted.trial.unittest import SynchronousTestCase

from txregistry.expiry import ledger_sqlite
from txregistry.expiry.ledger_sqlite import SqliteLedger
from txregistry.flow.disk import InlineDisk
from txregistry.interfaces.expiry import Entry, EntryKey, Kind
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName


class LedgerTests(SynchronousTestCase):
    """The ledger in SQLite, in memory and in files."""

    def setUp(self) -> None:
        self.path = self.mktemp() + "/ledger.sqlite3"
        self.ledger = SqliteLedger(self.path, InlineDisk())

    def key(self, reference: str, name: str = "a") -> EntryKey:
        return EntryKey(RepositoryName(name), Kind.BLOB, reference)

    def add(self, reference: str, last_use: float, name: str = "a") -> Entry:
        entry = Entry(self.key(reference, name), 1, last_use)
        self.ledger.add(entry)
        return entry

    def due(self, cutoff: float) -> list[str]:
        found = self.successResultOf(self.ledger.due(cutoff=cutoff, limit=10))
        return [entry.key.reference for entry in found]

    def test_read_on_a_full_disk(self) -> None:
        """What was recorded is answered, be it in the file or in memory yet."""
        known, new, digest = self.key("old"), self.key("new"), Digest.of(b"x")
        self.ledger.confirm(known, 1.0)
        self.add(str(digest), 1.0)
        self.successResultOf(self.ledger.flush())

        def refuse(*_: object) -> None:
            raise sqlite3.OperationalError("database or disk is full")

        patched = self.patch(ledger_sqlite, "_write", refuse)
        self.ledger.confirm(new, 2.0)
        self.add(str(digest), 2.0, "b")
        for key, at in ((known, 1.0), (new, 2.0), (self.key("none"), None)):
            found = self.ledger.confirmed_at(key=key)
            self.assertEqual(self.successResultOf(found), at)
        holders = {RepositoryName("a"), RepositoryName("b")}
        for _ in range(2):
            found = self.ledger.holders(digest=digest)
            self.assertEqual(self.successResultOf(found), holders)
            patched.restore()
        self.assertEqual(self.due(5.0), [str(digest)] * 2)

    def test_due_is_oldest_first(self) -> None:
        """What is due comes in the order of its last use."""
        self.add("x", 30.0)
        self.add("y", 10.0)
        self.add("z", 50.0)
        self.assertEqual(self.due(40.0), ["y", "x"])

    def test_touch_moves_forward_only(self) -> None:
        """A use counts, an older one does not."""
        self.add("x", 10.0)
        self.ledger.touch(self.key("x"), 100.0)
        self.assertEqual(self.due(50.0), [])
        self.ledger.touch(self.key("x"), 20.0)
        self.assertEqual(self.due(50.0), [])

    def test_touch_of_what_is_not_there(self) -> None:
        """A use of something unknown records nothing."""
        self.ledger.touch(self.key("x"), 1.0)
        self.assertEqual(self.successResultOf(self.ledger.entries()), [])

    def test_claim_once(self) -> None:
        """Of two that claim an entry, one gets it."""
        entry = self.add("x", 10.0)
        self.assertTrue(self.successResultOf(self.ledger.claim(entry=entry)))
        self.assertFalse(self.successResultOf(self.ledger.claim(entry=entry)))

    def test_claim_of_what_was_used_since(self) -> None:
        """A use between looking and claiming keeps the entry."""
        entry = self.add("x", 10.0)
        self.ledger.touch(entry.key, 20.0)
        self.assertFalse(self.successResultOf(self.ledger.claim(entry=entry)))

    def test_holders(self) -> None:
        """All repositories that hold some content are known at once."""
        digest = Digest.of(b"x")
        self.add(str(digest), 1.0, "a")
        self.add(str(digest), 1.0, "b")
        found = self.successResultOf(self.ledger.holders(digest=digest))
        self.assertEqual(found, {RepositoryName("a"), RepositoryName("b")})
        self.ledger.forget(self.key(str(digest), "a"))
        found = self.successResultOf(self.ledger.holders(digest=digest))
        self.assertEqual(found, {RepositoryName("b")})

    def test_forget_and_add_again(self) -> None:
        """What was forgotten can come back."""
        self.add("x", 1.0)
        self.ledger.forget(self.key("x"))
        self.add("x", 2.0)
        self.assertEqual(self.due(10.0), ["x"])

    def test_survives_a_restart(self) -> None:
        """What was flushed is there in the next process."""
        self.add("x", 1.0)
        tag = EntryKey(RepositoryName("a"), Kind.TAG, "v1")
        self.ledger.confirm(tag, 7.0)
        self.successResultOf(self.ledger.close())
        self.ledger = SqliteLedger(self.path, InlineDisk())
        self.assertEqual(self.due(10.0), ["x"])
        self.assertEqual(self.successResultOf(self.ledger.confirmed_at(key=tag)), 7.0)

    def test_restore_does_not_overwrite(self) -> None:
        """What is known is not changed by what is found."""
        entry = self.add("x", 1.0)
        found = [Entry(entry.key, 9, 99.0), Entry(self.key("y"), 9, 99.0)]
        self.successResultOf(self.ledger.restore(entries=found))
        entries = self.successResultOf(self.ledger.entries())
        self.assertEqual(
            {(e.key.reference, e.last_use) for e in entries}, {("x", 1.0), ("y", 99.0)}
        )

    def test_corrupt_file_is_set_aside(self) -> None:
        """A file that is no database is kept beside, and a new one begun."""
        self.add("x", 1.0)
        self.successResultOf(self.ledger.close())
        with open(self.path, "wb") as file:
            file.write(b"this is no database" * 1000)
        self.ledger = SqliteLedger(self.path, InlineDisk())
        self.assertEqual(self.due(10.0), [])
        self.assertEqual(self.ledger.generation, 1)
        with open(self.path + ".corrupt", "rb") as file:
            self.assertTrue(file.read().startswith(b"this is no database"))

    def test_what_could_not_be_written_is_kept(self) -> None:
        """After a failed write the batch is written with the next one."""
        self.add("x", 1.0)
        real = self.ledger._database._disk

        class Full:
            def run(self, work, *args):
                import sqlite3

                from twisted.internet.defer import fail

                return fail(sqlite3.OperationalError("database or disk is full"))

        self.ledger._database._disk = Full()
        self.failureResultOf(self.ledger.flush())
        self.ledger._database._disk = real
        self.assertEqual(self.due(10.0), ["x"])
