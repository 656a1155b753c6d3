"""The ledger."""

from __future__ import annotations

import sqlite3

from twisted.trial.unittest import SynchronousTestCase

from txregistry.expiry import ledger_sqlite
from txregistry.expiry.ledger_sqlite import SqliteLedger
from txregistry.flow.database import Database
from txregistry.flow.disk import InlineDisk
from txregistry.interfaces.expiry import Entry, EntryKey, Kind, LedgerAway
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName
from txregistry.testing.ledgers import ledger_suite


def on_file(case: SynchronousTestCase) -> SqliteLedger:
    """Make a ledger in the file of a test."""
    if not hasattr(case, "path"):
        case.path = case.mktemp() + "/ledger.sqlite3"
    return SqliteLedger(case.path, InlineDisk())


SqliteLedgerTests = ledger_suite(on_file)


class LedgerFileTests(SynchronousTestCase):
    """What can happen to a file."""

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
        self.ledger.confirm(known, 1.0, "it")
        self.add(str(digest), 1.0)
        self.successResultOf(self.ledger.flush())

        def refuse(*_: object) -> None:
            raise sqlite3.OperationalError("database or disk is full")

        patched = self.patch(ledger_sqlite, "_write", refuse)
        self.ledger.confirm(new, 2.0, "it")
        self.add(str(digest), 2.0, "b")
        for key, at in ((known, 1.0), (new, 2.0), (self.key("none"), None)):
            found = self.ledger.confirmed_at(key=key, what="it")
            self.assertEqual(self.successResultOf(found), at)
        holders = {RepositoryName("a"), RepositoryName("b")}
        for _ in range(2):
            found = self.ledger.holders(digest=digest)
            self.assertEqual(self.successResultOf(found), holders)
            patched.restore()
        self.assertEqual(self.due(5.0), [str(digest)] * 2)

    def test_file_that_cannot_be_opened(self) -> None:
        """What is in memory is answered, and of the rest nothing is known."""
        known, new = self.key("old"), self.key("new")
        self.ledger.confirm(known, 1.0, "it")
        self.successResultOf(self.ledger.flush())

        def refuse(*_: object) -> None:
            raise sqlite3.OperationalError("unable to open database file")

        self.patch(Database, "_transact", refuse)
        self.ledger.confirm(new, 2.0, "it")
        for key, at in ((known, None), (new, 2.0)):
            found = self.ledger.confirmed_at(key=key, what="it")
            self.assertEqual(self.successResultOf(found), at)

    def test_claims_on_a_full_disk(self) -> None:
        """Room can be made where nothing can be written; a use still counts."""
        digest, used = Digest.of(b"x"), Digest.of(b"used")
        first = self.add(str(digest), 1.0)
        second = self.add(str(used), 1.0)
        self.successResultOf(self.ledger.flush())

        def refuse(*_: object) -> None:
            raise sqlite3.OperationalError("database or disk is full")

        patched = self.patch(ledger_sqlite, "_claim", refuse)
        self.assertTrue(self.successResultOf(self.ledger.claim(entry=first)))
        self.ledger.touch(second.key, 2.0)
        written = self.patch(ledger_sqlite, "_write", refuse)
        self.assertFalse(self.successResultOf(self.ledger.claim(entry=second)))
        self.assertEqual(self.successResultOf(self.ledger.holders(digest)), set())
        self.assertEqual(self.successResultOf(self.ledger.held(digest)), [])
        (kept,) = self.successResultOf(self.ledger.held(used))
        self.assertEqual(kept.last_use, 2.0)
        patched.restore()
        written.restore()
        self.assertEqual(self.successResultOf(self.ledger.stored()), 1)

    def test_sum_on_a_full_disk(self) -> None:
        """What could not be written counts all the same, each content once."""
        kept, gone, new = (str(Digest.of(x)) for x in (b"1", b"2", b"3"))
        for reference in (kept, gone):
            self.ledger.add(Entry(self.key(reference), 100, 1.0))
        self.successResultOf(self.ledger.flush())

        def refuse(*_: object) -> None:
            raise sqlite3.OperationalError("database or disk is full")

        patched = self.patch(ledger_sqlite, "_write", refuse)
        self.ledger.forget(self.key(gone))
        self.ledger.add(Entry(self.key(kept, "b"), 100, 2.0))
        self.ledger.add(Entry(self.key(new), 7, 2.0))
        self.ledger.add(Entry(self.key(new, "b"), 7, 2.0))
        self.ledger.add(Entry(EntryKey(RepositoryName("a"), Kind.TAG, "v1"), 9, 2.0))
        for _ in range(2):
            self.assertEqual(self.successResultOf(self.ledger.stored()), 107)
            patched.restore()

    def test_a_file_without_accounts(self) -> None:
        """The file of an earlier release is counted when it is opened."""
        self.add("x", 1.0)
        self.add("x", 2.0, "b")
        self.add("y", 3.0)
        self.successResultOf(self.ledger.close())
        with sqlite3.connect(self.path) as db:
            for kind, name in db.execute(
                "SELECT type, name FROM sqlite_schema WHERE type = 'trigger' UNION"
                " SELECT type, name FROM sqlite_schema"
                " WHERE name IN ('contents', 'accounts')"
            ).fetchall():
                db.execute(f"DROP {kind} IF EXISTS {name}")
        self.assertEqual(self.successResultOf(self.ledger.stored()), 2)
        (found, _) = self.successResultOf(self.ledger.coldest(None, 9))
        self.assertEqual((found.reference, found.last_use), ("x", 2.0))

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
        digest = Digest.of(b"x")
        self.failureResultOf(self.ledger.holders(digest), LedgerAway)
        self.ledger.scanned(self.ledger.generation)
        self.assertEqual(self.successResultOf(self.ledger.holders(digest)), set())

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
