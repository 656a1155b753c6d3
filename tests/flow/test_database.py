"""A small database that is set aside when it is damaged."""

from __future__ import annotations

import os
import sqlite3

from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow.database import Database
from txregistry.flow.disk import InlineDisk

SCHEMA = "CREATE TABLE IF NOT EXISTS facts (fact TEXT PRIMARY KEY)"


class DatabaseTests(SynchronousTestCase):
    """One file."""

    def setUp(self) -> None:
        self.path = os.path.join(self.mktemp(), "below", "facts.sqlite3")
        self.database = self.open()

    def tearDown(self) -> None:
        """Close what is open."""
        self.successResultOf(self.database.close())

    def open(self, version: int = 1, **more: bool) -> Database:
        database = Database(self.path, InlineDisk(), SCHEMA, version, **more)
        self.addCleanup(database.close)
        return database

    def add(self, fact: str, database: Database | None = None) -> None:
        chosen = database or self.database
        insert = "INSERT INTO facts VALUES (?)"
        self.successResultOf(chosen.run(lambda db: db.execute(insert, (fact,))))

    def facts(self, database: Database | None = None) -> list[str]:
        chosen = database or self.database
        query = "SELECT fact FROM facts ORDER BY fact"
        rows = self.successResultOf(chosen.run(lambda db: db.execute(query).fetchall()))
        return [fact for (fact,) in rows]

    def setting(self, name: str, database: Database | None = None) -> object:
        chosen = database or self.database
        found = chosen.run(lambda db: db.execute(f"PRAGMA {name}").fetchone())
        return self.successResultOf(found)[0]

    def test_nothing_is_made_before_it_is_asked(self) -> None:
        """A database that nobody asks anything leaves no file."""
        self.assertFalse(os.path.exists(self.path))

    def test_kept(self) -> None:
        """What was written is there in the next process."""
        self.add("a")
        self.successResultOf(self.database.close())
        self.assertEqual(self.facts(self.open()), ["a"])
        self.assertEqual(self.database.generation, 0)

    def test_opened_again(self) -> None:
        """A closed one is opened again when it is asked; closing twice is fine."""
        self.add("a")
        for _ in range(2):
            self.successResultOf(self.database.close())
        self.assertEqual(self.facts(), ["a"])

    def test_all_or_nothing(self) -> None:
        """Work that fails in the middle has done nothing."""

        def work(db: sqlite3.Connection) -> None:
            db.execute("INSERT INTO facts VALUES ('a')")
            db.execute("INSERT INTO facts VALUES ('a')")

        self.failureResultOf(self.database.run(work), sqlite3.IntegrityError)
        self.assertEqual(self.facts(), [])
        self.assertEqual(self.database.generation, 0)

    def test_mistakes_of_ours_do_not_cost_the_file(self) -> None:
        """A wrong statement is an error and no damage."""
        self.add("a")
        done = self.database.run(lambda db: db.execute("SELECT nothing FROM nowhere"))
        self.failureResultOf(done, sqlite3.OperationalError)
        done = self.database.run(lambda db: db.execute("SELECT ?", ()))
        self.failureResultOf(done, sqlite3.ProgrammingError)
        self.assertEqual((self.facts(), self.database.generation), (["a"], 0))

    def test_damage_that_cannot_be_renamed(self) -> None:
        """A damaged file that stays in the way fails the work, and the next as well."""
        self.successResultOf(self.database.close())
        os.makedirs(os.path.dirname(self.path))
        with open(self.path, "wb") as file:
            file.write(b"no database" * 1000)
        os.mkdir(self.path + ".corrupt")
        for _ in range(2):
            done = self.database.run(lambda db: db.execute("SELECT 1").fetchone())
            self.failureResultOf(done, sqlite3.OperationalError)
        os.rmdir(self.path + ".corrupt")
        self.add("a")
        self.assertEqual(self.database.generation, 1)

    def test_other_failures_pass_through(self) -> None:
        """What work itself raises is what the Deferred fails with."""

        def work(db: sqlite3.Connection) -> None:
            db.execute("INSERT INTO facts VALUES ('a')")
            raise LookupError

        self.failureResultOf(self.database.run(work), LookupError)
        self.assertEqual(self.facts(), [])

    def test_no_database(self) -> None:
        """A file that is none is set aside, kept, and a new one is made."""
        os.makedirs(os.path.dirname(self.path))
        with open(self.path, "wb") as file:
            file.write(b"no database at all" * 100)
        self.add("a")
        self.assertEqual((self.facts(), self.database.generation), (["a"], 1))
        with open(self.path + ".corrupt", "rb") as file:
            self.assertTrue(file.read().startswith(b"no database"))

    def test_damaged_while_open(self) -> None:
        """Damage that shows only later is treated alike."""
        for number in range(2000):
            self.add(f"{number:04}")
        self.successResultOf(self.database.close())
        with open(self.path, "r+b") as file:
            file.seek(1024)
            file.write(b"\xff" * 30_000)
        fresh = self.open()
        self.assertEqual(self.facts(fresh), [])
        self.assertEqual(fresh.generation, 1)
        self.assertTrue(os.path.exists(self.path + ".corrupt"))

    def test_log_goes_with_it(self) -> None:
        """The log of a file that is set aside does not spoil the new one."""
        os.makedirs(os.path.dirname(self.path))
        for suffix in ("", "-wal", "-shm"):
            with open(self.path + suffix, "wb") as file:
                file.write(b"junk" * 1000)
        self.add("a")
        self.assertEqual(self.facts(), ["a"])
        self.assertTrue(os.path.exists(f"{self.path}.corrupt"))

    def test_twice(self) -> None:
        """What was set aside before makes room for what is set aside now."""
        os.makedirs(os.path.dirname(self.path))
        for text in (b"first", b"second"):
            self.successResultOf(self.database.close())
            with open(self.path, "wb") as file:
                file.write(text * 500)
            self.assertEqual(self.facts(), [])
        with open(self.path + ".corrupt", "rb") as file:
            self.assertTrue(file.read().startswith(b"second"))

    def test_other_version(self) -> None:
        """A schema of another version is not guessed at."""
        self.add("a")
        self.successResultOf(self.database.close())
        newer = self.open(version=2)
        self.assertEqual((self.facts(newer), newer.generation), ([], 1))
        self.successResultOf(newer.close())
        self.assertEqual(self.setting("user_version", self.open(version=2)), 2)

    def test_empty_file(self) -> None:
        """A file that a crash left empty is a new database."""
        os.makedirs(os.path.dirname(self.path))
        with open(self.path, "wb"):
            pass
        self.add("a")
        self.assertEqual((self.facts(), self.database.generation), (["a"], 0))

    def test_place_that_cannot_be(self) -> None:
        """A directory in the file's place is an error, and stays what it is."""
        os.makedirs(self.path)
        done = self.database.run(lambda db: None)
        self.failureResultOf(done, sqlite3.OperationalError)
        self.assertTrue(os.path.isdir(self.path))

    def test_how_durable(self) -> None:
        """A commit waits for the disk only where that is asked for."""
        self.assertEqual(self.setting("journal_mode"), "wal")
        self.assertEqual(self.setting("synchronous"), 1)
        self.successResultOf(self.database.close())
        self.assertEqual(self.setting("synchronous", self.open(durable=True)), 2)

    def test_memory(self) -> None:
        """In memory there is no file, and a close forgets all."""
        database = Database(":memory:", InlineDisk(), SCHEMA, 1)
        self.add("a", database)
        self.assertEqual(self.facts(database), ["a"])
        self.successResultOf(database.close())
        self.assertEqual(self.facts(database), [])
        self.successResultOf(database.close())
        self.assertFalse(os.path.exists(":memory:"))


class PrivateTests(SynchronousTestCase):
    """Names and uses are for nobody else to read."""

    def test_modes(self) -> None:
        """The file and what SQLite puts beside it are for their owner alone."""
        for begun in (False, True):
            with self.subTest(begun=begun):
                path = self.mktemp() + "/x.sqlite3"
                if begun:
                    os.makedirs(os.path.dirname(path))
                    with open(path, "wb"):
                        os.chmod(path, 0o644)
                database = Database(path, InlineDisk(), "CREATE TABLE a (b);", 1)
                self.addCleanup(database.close)
                done = database.run(lambda db: db.execute("INSERT INTO a VALUES (1)"))
                self.successResultOf(done)
                modes = {
                    name: os.stat(os.path.join(os.path.dirname(path), name)).st_mode
                    for name in os.listdir(os.path.dirname(path))
                }
                self.assertEqual(
                    {name: mode & 0o777 for name, mode in modes.items()},
                    dict.fromkeys(
                        ("x.sqlite3", "x.sqlite3-wal", "x.sqlite3-shm"), 0o600
                    ),
                )

    def test_where_none_can_be(self) -> None:
        """What keeps it from being made is an error of the database."""
        path = self.mktemp()
        with open(path, "wb"):
            database = Database(f"{path}/x.sqlite3", InlineDisk(), "", 1)
        failed = self.failureResultOf(
            database.run(lambda db: None), sqlite3.OperationalError
        )
        self.assertIn(path, str(failed.value))
