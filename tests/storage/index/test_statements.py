"""Statements of the index, on a database in memory."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable

import attrs
from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.manifest.model import Manifest
from txregistry.spec.reference import RepositoryName, Tag
from txregistry.storage.index import statements
from txregistry.storage.index.statements import CATALOGUE, SCHEMA, Fact

A, B = RepositoryName.parse("a"), RepositoryName.parse("a/b")
V1, V2 = Tag.parse("v1"), Tag.parse("v2")
ONE, TWO = Digest.of(b"1"), Digest.of(b"2")


class StatementCase(SynchronousTestCase):
    """Facts, recorded one after the other."""

    def setUp(self) -> None:
        self.db = sqlite3.connect(":memory:")
        self.addCleanup(self.db.close)
        self.db.executescript(SCHEMA)

    def record(self, *facts: Fact) -> None:
        for fact in facts:
            self.db.execute(fact.query, fact.values)

    def rows(self, columns: str) -> list[tuple[object, ...]]:
        return self.db.execute(f"SELECT {columns}").fetchall()

    def see(self, look: int, part: str, names: Iterable[str]) -> None:
        self.record(*[statements.seen(part, look, name) for name in names])


class RepositoryTests(StatementCase):
    """The catalogue."""

    def names(self) -> list[str]:
        found = self.rows("sort_key FROM repositories ORDER BY sort_key")
        return [str(key).replace("\x01", "/") for (key,) in found]

    def test_order(self) -> None:
        """Names are ordered by component: what is below one comes right after it."""
        for name in ("a-b", "a/b", "a", "ab", "a.b"):
            self.record(statements.repository_added(RepositoryName.parse(name)))
        self.assertEqual(self.names(), ["a", "a/b", "a-b", "a.b", "ab"])

    def test_added_and_gone(self) -> None:
        """Each stands once, and can be taken out again."""
        self.record(*[statements.repository_added(A)] * 2)
        self.record(statements.repository_added(B), statements.repository_gone(A))
        self.assertEqual(self.names(), ["a/b"])

    def test_seen(self) -> None:
        """After a scan there is what it met, and nothing of another scan."""
        self.record(statements.repository_added(A))
        self.see(1, CATALOGUE, ["b", "c"])
        self.see(2, CATALOGUE, ["d"])
        self.record(*statements.repositories_are_seen(1))
        self.assertEqual(self.names(), ["b", "c"])
        self.record(statements.seen_no_more(CATALOGUE, 1))
        self.assertEqual(self.rows("look, name FROM seen"), [(2, "d")])


class TagTests(StatementCase):
    """What tags stand for."""

    def tags(self, name: RepositoryName = A) -> dict[object, object]:
        query = "tag, digest FROM tags WHERE repository = ?"
        return dict(self.db.execute(f"SELECT {query}", (str(name),)).fetchall())

    def test_set_and_gone(self) -> None:
        """The last that was set counts, in its own repository."""
        self.record(statements.tag_set(A, V1, ONE), statements.tag_set(A, V1, TWO))
        self.record(statements.tag_set(B, V1, ONE), statements.tag_gone(B, V2))
        self.assertEqual(self.tags(), {"v1": str(TWO)})
        self.record(statements.tag_gone(A, V1))
        self.assertEqual((self.tags(), self.tags(B)), ({}, {"v1": str(ONE)}))

    def test_read(self) -> None:
        """What was read does not replace what was set, or bring back what is gone."""
        self.record(statements.tag_set(A, V1, ONE), statements.tag_read(A, V1, TWO))
        self.record(statements.tag_read(A, V2, TWO))
        self.assertEqual(self.tags(), {"v1": str(ONE)})

    def test_seen(self) -> None:
        """After a scan there are its tags; what they stand for is read again."""
        self.record(statements.tag_set(A, V1, ONE), statements.tag_set(A, V2, ONE))
        self.record(statements.tag_set(B, V1, ONE))
        self.see(1, "a", ["v2", "v3"])
        self.record(*statements.tags_are_seen(A, 1))
        self.assertEqual(self.tags(), {"v2": None, "v3": None})
        self.assertEqual(self.tags(B), {"v1": str(ONE)})
        self.record(statements.tag_read(A, V2, TWO))
        self.assertEqual(self.tags(), {"v2": str(TWO), "v3": None})


class ManifestTests(StatementCase):
    """What manifests refer to."""

    def manifest(self, content: bytes, **more: object) -> Manifest:
        bare = Manifest("x/y", content, Digest.of(content), artifact_type="a/t")
        return attrs.evolve(bare, annotations={"a": "ü"}, **more)

    def digests(self) -> set[object]:
        return {row[0] for row in self.rows("digest FROM manifests")}

    def test_added(self) -> None:
        """Annotations are kept of referrers only: nobody else is asked for them."""
        subject = Descriptor(TWO, 1)
        self.record(statements.manifest_added(A, self.manifest(b"1", subject=subject)))
        self.record(statements.manifest_added(A, self.manifest(b"333")))
        columns = "digest, subject, media_type, size, artifact_type, annotations"
        first, second = sorted(self.rows(f"{columns} FROM manifests"), key=len)
        found = {row[0]: row[1:] for row in (first, second)}
        self.assertEqual(found[str(ONE)][:-1], (str(TWO), "x/y", 1, "a/t"))
        self.assertEqual(json.loads(str(found[str(ONE)][-1])), {"a": "ü"})
        third = found[str(Digest.of(b"333"))]
        self.assertEqual(third, (None, "x/y", 3, "a/t", "{}"))

    def test_gone(self) -> None:
        """A manifest that is gone in one repository stays in others."""
        for name in (A, B):
            self.record(statements.manifest_added(name, self.manifest(b"1")))
        self.record(statements.manifest_gone(A, ONE))
        self.assertEqual(self.rows("repository FROM manifests"), [("a/b",)])

    def test_seen(self) -> None:
        """After a scan those that it did not meet are gone; none is made up."""
        for content in (b"1", b"2"):
            self.record(statements.manifest_added(A, self.manifest(content)))
        self.see(1, "a", [str(TWO), str(Digest.of(b"3"))])
        self.record(*statements.manifests_are_seen(A, 1))
        self.assertEqual(self.digests(), {str(TWO)})


class PartTests(StatementCase):
    """To which part of the index a fact belongs."""

    def test_parts(self) -> None:
        """Facts of a repository are its own, those of repositories the catalogue's."""
        of_name = [
            statements.tag_set(B, V1, ONE),
            statements.tag_read(B, V1, ONE),
            statements.tag_gone(B, V1),
            statements.manifest_gone(B, ONE),
            *statements.tags_are_seen(B, 1),
            *statements.manifests_are_seen(B, 1),
        ]
        self.assertEqual({fact.part for fact in of_name}, {"a/b"})
        of_all = [
            statements.repository_added(B),
            statements.repository_gone(B),
            *statements.repositories_are_seen(1),
        ]
        self.assertEqual({fact.part for fact in of_all}, {CATALOGUE})

    def test_left_by_a_crash(self) -> None:
        """What a scan had met before a crash is gone when the file is opened again."""
        self.see(1, "a", ["x"])
        self.db.executescript(SCHEMA)
        self.assertEqual(self.rows("look FROM seen"), [])
