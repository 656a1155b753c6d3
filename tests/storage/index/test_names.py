"""Names are answered from the tree where the index cannot be asked."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.logger import globalLogPublisher

from tests.storage.index.test_tree_index import NAME, TreeCase, tags
from txregistry.flow.database import Database
from txregistry.flow.disk import InlineDisk
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName, Tag
from txregistry.storage.index import names as module
from txregistry.storage.index import statements
from txregistry.storage.index.names import Names
from txregistry.storage.index.reconcile import Reconciler
from txregistry.storage.index.tree_index import IndexLost, TreeIndex

FULL = sqlite3.OperationalError("database or disk is full")
SUBJECT = Digest.of(b"subject")
PAGES = [("", None), ("", 1), ("", 3), ("t2", 2), ("zzz", 5), ("", 0)]


class Broken(Database):
    """Fails with an error whatever it is asked."""

    def __init__(self, error: Exception) -> None:
        super().__init__(":memory:", InlineDisk(), "", 1)
        self.error = error

    def run(self, work: Callable[[sqlite3.Connection], Any]) -> Deferred[Any]:
        return fail(self.error)


class NamesTests(TreeCase):
    """A tree with some of everything, and what may lie between."""

    def setUp(self) -> None:
        super().setUp()
        for name in ("a", "a/b", "a-b", "b/c/d", "z"):
            self.add_manifest(name=RepositoryName(name))
        self.image = self.add_manifest(note="image")
        for tag in ("latest", "t1", "t2", "t3", "V", "_x"):
            self.add_tag(tag, self.image)
        self.add_tag("other", SUBJECT)
        for kind in ("x/sbom", "x/sig"):
            for note in "123":
                self.add_manifest(SUBJECT, kind, note)
        self.names = Names(self.driver, self.reconciler, self.clock)

    def answers(self) -> list[object]:
        """Ask everything that can be asked."""
        found: list[object] = []
        for after, limit in PAGES:
            found.append(self.finish(self.names.repositories(after, limit)))
            found.append(self.finish(self.names.tags(NAME, after, limit)))
            for kind in (None, "x/sig", "x/none"):
                asked = self.names.referrers(NAME, SUBJECT, kind, after, limit)
                found.append(self.finish(asked))
        some = self.finish(self.names.referrers(NAME, SUBJECT, None, "", 2))
        after = str(some[-1].descriptor.digest)  # type: ignore[index]
        found.append(self.finish(self.names.referrers(NAME, SUBJECT, None, after, 2)))
        digests = (self.image, SUBJECT, Digest.of(b"none"))
        found += [self.finish(self.names.tags_of(NAME, digest)) for digest in digests]
        return found

    def lose_index(self, error: Exception) -> None:
        index = TreeIndex(Broken(error))
        reconciler = Reconciler(self.driver, index, self.clock)
        self.names = Names(self.driver, reconciler, self.clock)

    def test_as_from_the_index(self) -> None:
        """Every page is the same, whatever keeps the index from being asked."""
        expected = self.answers()
        for error in (
            FULL,
            sqlite3.OperationalError("attempt to write a readonly database"),
            sqlite3.DatabaseError("no database"),
            IndexLost("lost"),
        ):
            with self.subTest(error=str(error)):
                self.lose_index(error)
                self.assertEqual(self.answers(), expected)

    def test_full_for_a_while(self) -> None:
        """What could not be written is found all the same, and later in the index."""
        self.answers()
        database, self.index._database = self.index._database, Broken(FULL)
        self.add_tag("t4", self.image)
        fact = statements.tag_set(NAME, Tag("t4"), self.image)
        self.reconciler.added(NAME, fact)
        for _ in range(2):
            found = self.finish(self.names.tags(NAME, "t3", None))
            self.assertEqual(found, tags("t4"))
            self.index._database = database

    def test_told_now_and_then(self) -> None:
        """It is told once in a minute, not with every question."""
        told: list[object] = []

        def observe(event: dict[str, Any]) -> None:
            if "index of names" in event.get("log_format", ""):
                told.append(event["error"])

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        self.lose_index(FULL)
        self.answers()
        self.assertEqual(told, [str(FULL)])
        self.clock.advance(61)
        self.answers()
        self.assertEqual(told, [str(FULL)] * 2)

    def test_memory(self) -> None:
        """A page takes memory for itself, however many names there are."""
        self.patch(module, "_SPARE", 0)
        for number in range(500):
            self.add_tag(f"x{number:03}", self.image)
        self.lose_index(FULL)
        longest = 0

        def counted(items: Any, **how: Any) -> list[Any]:
            nonlocal longest
            longest = max(longest, len(items))
            return sorted(items, **how)

        module.sorted = counted  # type: ignore[attr-defined]
        self.addCleanup(delattr, module, "sorted")
        found = self.finish(self.names.tags(NAME, "x1", 3))
        self.assertEqual([str(tag) for tag in found], ["x100", "x101", "x102"])
        self.assertLessEqual(longest, 6)
