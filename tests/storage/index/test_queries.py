"""What is asked of the index, and how its rows are read."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.digest import Digest
from txregistry.spec.errors import Unavailable
from txregistry.spec.reference import RepositoryName
from txregistry.storage.index.queries import IndexQueries

NAME = RepositoryName("a/b")
ONE, TWO = Digest.of(b"1"), Digest.of(b"2")


class QueriesTests(SynchronousTestCase):
    """Over rows that are given."""

    def setUp(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.rows: list[tuple[Any, ...]] = []
        self.queries = IndexQueries(self.answer)

    def answer(self, statement: str, values: tuple[Any, ...]) -> Deferred[Any]:
        self.assertEqual(statement.count("?"), len(values))
        self.asked.append(values)
        return succeed(self.rows)

    def test_repositories(self) -> None:
        """Names are compared component by component, and read back whole."""
        self.rows = [("a\x01b",), ("a-b",)]
        found = self.successResultOf(self.queries.repositories("a/a", 2))
        self.assertEqual(found, [NAME, RepositoryName("a-b")])
        self.assertEqual(self.asked, [("a\x01a", 2)])

    def test_no_limit(self) -> None:
        """Without a limit all rows are asked for."""
        self.successResultOf(self.queries.repositories("", None))
        self.successResultOf(self.queries.tags(NAME, "", None))
        self.assertEqual([values[-1] for values in self.asked], [-1, -1])

    def test_manifests(self) -> None:
        """Each digest is a value of its own."""
        self.rows = [(str(TWO),)]
        found = self.successResultOf(self.queries.manifests(NAME, [ONE, TWO]))
        self.assertEqual(found, {TWO})
        self.assertEqual(self.asked, [("a/b", str(ONE), str(TWO))])

    def test_referrers(self) -> None:
        """A row is a descriptor with its kind and annotations."""
        self.rows = [(str(TWO), 7, "x/y", "k", '{"n": "v"}')]
        asked = self.queries.referrers(NAME, ONE, "k", "", 5)
        (found,) = self.successResultOf(asked)
        self.assertEqual((found.descriptor.digest, found.descriptor.size), (TWO, 7))
        self.assertEqual((found.artifact_type, found.annotations), ("k", {"n": "v"}))
        self.assertEqual(self.asked, [("a/b", str(ONE), "", "k", "k", 5)])

    def test_lost(self) -> None:
        """A query fails as its rows do."""
        queries = IndexQueries(lambda *_: fail(Unavailable({"reason": "lost"})))
        self.failureResultOf(queries.tags_of(NAME, ONE), Unavailable)
