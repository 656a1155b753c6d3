"""The index while its thread is behind: what is written, asked and lost meanwhile."""

from __future__ import annotations

import os
import sqlite3
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from tests.storage.index.test_tree_index import NAME, TreeCase, tags
from txregistry.daemon.databases import Index
from txregistry.flow.database import Database
from txregistry.spec.digest import Digest
from txregistry.spec.errors import Unavailable
from txregistry.spec.reference import RepositoryName, Tag
from txregistry.storage.content.integrity import Integrity
from txregistry.storage.index import statements
from txregistry.storage.index import tree_index as index_module
from txregistry.storage.index.reconcile import Reconciler
from txregistry.storage.index.statements import SCHEMA, VERSION
from txregistry.storage.index.tree_index import TreeIndex
from txregistry.testing.disk import QueueDisk

ONE, TWO = Digest.of(b"1"), Digest.of(b"2")
OTHER = RepositoryName("other")
TAG = Tag("t")


class QueueCase(TreeCase):
    """The tree, and an index whose jobs wait to be done."""

    #: How many facts wait for a question.
    pending = 1

    def setUp(self) -> None:
        self.patch(index_module, "_PENDING", self.pending)
        super().setUp()

    def start_anew(self) -> None:
        self.disk = QueueDisk()
        self.database = Database(self.path, self.disk, SCHEMA, VERSION)
        self.index = TreeIndex(self.database)
        self.reconciler = Reconciler(self.driver, self.index, self.clock)

    def use_a_file(self) -> None:
        self.path = os.path.join(self.mktemp(), "index.sqlite3")
        self.start_anew()

    def finish(self, done: Deferred[Any]) -> Any:
        for _ in range(1000):
            self.disk.settle()
            if done.called:
                break
            self.clock.advance(0)
        return self.successResultOf(done)

    def known(self, name: RepositoryName = NAME) -> list[Tag]:
        return self.finish(self.index.queries.tags(name, "", None))

    def known_of(self, digest: Digest, name: RepositoryName = NAME) -> list[Tag]:
        return self.finish(self.index.queries.tags_of(name, digest))

    def rows_seen(self) -> int:
        count = self.database.run(
            lambda db: db.execute("SELECT count(*) FROM seen").fetchone()[0]
        )
        return self.finish(count)

    def damage(self) -> None:
        """Let the next job but those that wait meet what is no database."""

        def work(db: sqlite3.Connection) -> None:
            if not self.database.generation:
                raise sqlite3.DatabaseError("malformed")

        self.database.run(work)


class LastJobTests(QueueCase):
    """The last job of a look waits behind others."""

    def look_until_the_last_job(self) -> Deferred[None]:
        """Begin to look; the job that ends it waits behind one that writes."""
        self.add_tag("old", ONE)
        self.driver.waiting = []
        done = self.reconciler.tags(NAME)
        self.disk.settle()
        self.index.write(statements.tag_set(OTHER, TAG, ONE))
        self.driver.go_on()
        self.assertNoResult(done)
        self.assertEqual(len(self.disk.jobs), 2)
        return done

    def test_new_tag(self) -> None:
        """A tag that comes after the look has seen all is there."""
        done = self.look_until_the_last_job()
        self.index.write(statements.tag_set(NAME, Tag("new"), TWO))
        self.finish(done)
        self.assertEqual(self.known(), tags("new", "old"))
        self.assertEqual(self.rows_seen(), 0)

    def test_tag_that_goes(self) -> None:
        """A tag that goes after the look has seen it stays away."""
        done = self.look_until_the_last_job()
        self.index.write(statements.tag_gone(NAME, Tag("old")))
        self.finish(done)
        self.assertEqual(self.known(), [])

    def test_other_repositories(self) -> None:
        """What is written of others meanwhile is not undone."""
        done = self.look_until_the_last_job()
        self.index.write(statements.tag_set(OTHER, TAG, TWO))
        self.finish(done)
        self.assertEqual(self.known_of(TWO, OTHER), [TAG])
        self.index.write(statements.tag_gone(OTHER, TAG))
        self.assertEqual(self.known(OTHER), [])

    def test_given_up(self) -> None:
        """A job that nobody waits for any more changes nothing."""
        done = self.look_until_the_last_job()
        self.index.write(statements.tag_set(NAME, TAG, ONE))
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.index.write(statements.tag_set(NAME, TAG, TWO))
        self.disk.settle()
        self.assertEqual(self.known_of(TWO), [TAG])
        self.assertEqual((self.known(), self.rows_seen()), ([TAG], 0))

    def test_given_up_with_a_batch_under_way(self) -> None:
        """What was seen and waits to be written leaves no rows."""
        for number in range(700):
            self.add_tag(f"{number:03}", ONE)
        done = self.reconciler.tags(NAME)
        self.disk.settle()
        self.clock.advance(0)
        self.assertEqual(len(self.disk.jobs), 1)
        batch = self.disk.jobs.pop()
        self.index.write(statements.tag_set(OTHER, TAG, ONE))
        self.disk.jobs.append(batch)
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.disk.settle()
        self.assertEqual(self.rows_seen(), 0)
        self.finish(self.reconciler.tags(NAME))
        self.assertEqual(len(self.known()), 700)

    def test_journal_is_of_one_part(self) -> None:
        """A look records what concerns it, and nothing else."""
        done = self.look_until_the_last_job()
        (look,) = self.index._looks
        self.assertEqual(look.journal, [])
        self.index.write(statements.repository_added(NAME))
        wanted = statements.tag_gone(NAME, TAG)
        self.index.write(wanted)
        self.assertEqual(look.journal, [wanted])
        self.finish(done)
        self.assertEqual(self.index._looks, [])


class LossTests(QueueCase):
    """The file is lost, or cannot be written, while questions wait."""

    def setUp(self) -> None:
        super().setUp()
        self.use_a_file()
        self.add_tag("a", ONE)
        self.finish(self.reconciler.tags(NAME))
        self.assertEqual(self.known(), tags("a"))

    def test_all_that_wait_are_refused(self) -> None:
        """No question that was put to the old file is answered by the new one."""
        self.damage()
        answers: list[Any] = []
        for _ in range(3):
            self.successResultOf(self.reconciler.tags(NAME))
            self.index.queries.tags(NAME, "", None).addBoth(answers.append)
        self.disk.settle()
        for answer in answers:
            assert isinstance(answer, Failure), answer
            answer.trap(Unavailable)
        self.finish(self.reconciler.tags(NAME))
        self.assertEqual(self.known(), tags("a"))

    def read_only(self, on: bool) -> None:
        connection = self.database._connection
        assert connection is not None
        connection.execute(f"PRAGMA query_only = {int(on)}")

    def test_question_that_fails(self) -> None:
        """What it should have written first is looked for in the tree."""
        self.read_only(True)
        asked = self.index.queries.tags(NAME, "", None)
        self.add_tag("b", ONE)
        self.index.write(statements.tag_set(NAME, Tag("b"), ONE))
        self.disk.step()
        self.failureResultOf(asked, sqlite3.OperationalError)
        self.read_only(False)
        self.disk.settle()
        self.finish(self.reconciler.tags(NAME))
        self.assertEqual(self.known(), tags("a", "b"))

    def test_write_that_fails(self) -> None:
        """What could not be written is told, and looked for in the tree."""
        self.read_only(True)
        self.add_tag("b", ONE)
        self.index.write(statements.tag_set(NAME, Tag("b"), ONE))
        self.disk.settle()
        self.assertEqual(len(self.flushLoggedErrors(sqlite3.OperationalError)), 1)
        self.read_only(False)
        self.finish(self.reconciler.tags(NAME))
        self.assertEqual(self.known(), tags("a", "b"))

    def test_damaged_at_the_start(self) -> None:
        """A look at the tree is not made twice for it."""
        self.use_a_file()
        os.makedirs(os.path.dirname(self.path))
        with open(self.path, "wb") as file:
            file.write(b"no database" * 1000)
        listed = self.driver.listed
        self.finish(self.reconciler.tags(NAME))
        self.assertEqual(self.driver.listed, listed + 1)
        self.assertEqual(self.known(), tags("a"))

    def test_lost_while_the_service_looks(self) -> None:
        """The service goes on without a catalogue; who asks has it looked for."""
        for number in range(100):
            self.add_manifest(name=RepositoryName(f"r{number:02}"))
        integrity = Integrity(self.driver, self.database)
        service = Index(self.database, self.reconciler, integrity)
        service.startService()
        self.disk.settle()
        self.damage()
        self.disk.settle()
        self.clock.advance(0)
        self.disk.settle()
        self.assertIsNone(self.successResultOf(service._looking))
        self.finish(self.reconciler.repositories())
        found = self.finish(self.index.queries.repositories("", None))
        self.assertEqual(len(found), 101)


class PendingTests(QueueCase):
    """What is written waits for a question, or for more."""

    pending = 3

    def write(self, *names: str) -> None:
        digest = Digest.of(b"a")
        for name in names:
            self.index.write(statements.tag_set(NAME, Tag(name), digest))

    def test_question(self) -> None:
        """It is asked after what came before it."""
        self.write("a", "b")
        self.assertEqual(self.disk.jobs, [])
        self.assertEqual(self.known(), tags("a", "b"))

    def test_enough(self) -> None:
        """Memory is bounded, though nobody asks."""
        self.write("a", "b", "c", "d")
        self.assertEqual(len(self.disk.jobs), 1)
        self.disk.settle()
        self.assertEqual(len(self.index._pending), 0)

    def test_long(self) -> None:
        """Also where there are few that are long."""
        self.patch(index_module, "_BATCH_LENGTH", 100)
        self.write("a" * 100)
        self.assertEqual(len(self.disk.jobs), 1)
        self.disk.settle()
        self.write("b")
        self.assertEqual(self.disk.jobs, [])

    def test_file_that_cannot_be_opened(self) -> None:
        """It is tried once for what has gathered, which is not kept for ever."""
        self.use_a_file()
        os.makedirs(self.path)
        self.write("a", "b", "c", "d")
        epoch = self.index.epoch
        self.assertEqual(len(self.disk.jobs), 1)
        self.disk.settle()
        self.assertEqual(self.disk.jobs, [])
        self.assertEqual(len(self.flushLoggedErrors(sqlite3.Error, OSError)), 1)
        self.assertNotEqual(self.index.epoch, epoch)
        self.write("e")
        self.assertEqual((self.disk.jobs, len(self.index._pending)), ([], 1))

    def test_before_a_look(self) -> None:
        """The tree says what is true, whatever was written before."""
        self.write("gone")
        self.finish(self.reconciler.tags(NAME))
        self.assertEqual(self.known(), [])
