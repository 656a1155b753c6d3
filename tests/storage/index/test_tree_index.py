"""The index beside the tree: rebuilt from it, and kept in step with it."""

from __future__ import annotations

import json
import os
import sqlite3

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow.database import Database
from txregistry.flow.disk import InlineDisk
from txregistry.interfaces.driver import Paths
from txregistry.spec import mediatypes
from txregistry.spec.digest import Digest
from txregistry.spec.errors import Unavailable
from txregistry.spec.manifest.parse import parse
from txregistry.spec.reference import RepositoryName, Tag
from txregistry.storage.index import statements
from txregistry.storage.index.reconcile import Reconciler
from txregistry.storage.index.statements import SCHEMA, VERSION, Fact
from txregistry.storage.index.tree_index import Look, TreeIndex
from txregistry.storage.tree import layout
from txregistry.storagedriver.inmemory import MemoryDriver

NAME = RepositoryName("a/b")


def tags(*names: str) -> list[Tag]:
    """Give tags."""
    return [Tag(name) for name in names]


@attrs.define(eq=False)
class SlowDriver(MemoryDriver):
    """Lists when it is told to, and counts how often it was asked."""

    listed: int = 0
    waiting: list[Deferred[None]] | None = None

    def list(self, path: str) -> Deferred[Paths]:
        """List the children of a directory, perhaps later."""
        self.listed += 1
        if self.waiting is None:
            return super().list(path)
        go: Deferred[None] = Deferred()
        self.waiting.append(go)
        return go.addCallback(lambda _: MemoryDriver.list(self, path))

    def go_on(self) -> None:
        """List what was asked for so far."""
        waiting, self.waiting = self.waiting or [], None
        for go in waiting:
            go.callback(None)


class TreeCase(SynchronousTestCase):
    """A tree in memory, and an index that knows nothing of it yet."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.driver = SlowDriver(self.clock)
        self.path = ":memory:"
        self.start_anew()

    def start_anew(self) -> None:
        """Begin as another process does."""
        self.database = Database(self.path, InlineDisk(), SCHEMA, VERSION)
        self.addCleanup(self.database.close)
        self.index = TreeIndex(self.database)
        self.reconciler = Reconciler(self.driver, self.index, self.clock)

    def put(self, path: str, content: bytes) -> None:
        self.successResultOf(self.driver.put(path, content))

    def link(self, path: str, digest: Digest) -> None:
        self.put(path, str(digest).encode("ascii"))

    def add_tag(self, tag: str, digest: Digest, name: RepositoryName = NAME) -> None:
        self.link(layout.tag_current(name, Tag(tag)), digest)

    def add_manifest(
        self,
        subject: Digest | None = None,
        artifact_type: str | None = None,
        note: str = "",
        name: RepositoryName = NAME,
        algorithm: str = "sha256",
    ) -> Digest:
        document: dict[str, object] = {
            "schemaVersion": 2,
            "mediaType": mediatypes.OCI_INDEX,
            "manifests": [],
            "annotations": {"note": note},
        }
        if artifact_type:
            document["artifactType"] = artifact_type
        if subject is not None:
            document["subject"] = {
                "mediaType": mediatypes.OCI_MANIFEST,
                "digest": str(subject),
                "size": 1,
            }
        content = json.dumps(document).encode()
        digest = Digest.of(content, algorithm)
        self.put(layout.blob_data(digest), content)
        self.link(layout.revision_link(name, digest), digest)
        return digest

    def finish(self, done: Deferred[object]) -> object:
        for _ in range(1000):
            if done.called:
                break
            self.clock.advance(0)
        return self.successResultOf(done)

    def tags(self, after: str = "", limit: int | None = None) -> list[Tag]:
        self.finish(self.reconciler.tags(NAME))
        return self.successResultOf(self.index.queries.tags(NAME, after, limit))

    def tags_of(self, digest: Digest) -> list[Tag]:
        self.finish(self.reconciler.digests(NAME))
        return self.successResultOf(self.index.queries.tags_of(NAME, digest))

    def repositories(self, after: str = "", limit: int | None = None) -> list[str]:
        self.finish(self.reconciler.repositories())
        found = self.successResultOf(self.index.queries.repositories(after, limit))
        return [str(name) for name in found]

    def referrers(
        self,
        subject: Digest,
        artifact_type: str | None = None,
        after: str = "",
        limit: int | None = None,
    ) -> list[Digest]:
        self.finish(self.reconciler.referrers(NAME))
        found = self.successResultOf(
            self.index.queries.referrers(NAME, subject, artifact_type, after, limit)
        )
        return [referrer.descriptor.digest for referrer in found]


class DamageTests(TreeCase):
    """A file that turns out to be damaged while it is in use."""

    def setUp(self) -> None:
        super().setUp()
        self.path = os.path.join(self.mktemp(), "index.sqlite3")
        self.start_anew()
        self.add_tag("a", Digest.of(b"a"))
        self.add_manifest(name=NAME)

    def damage(self) -> None:
        """Let the next question meet what is no database."""

        def work(db: sqlite3.Connection) -> None:
            if not self.database.generation:
                raise sqlite3.DatabaseError("malformed")

        self.successResultOf(self.database.run(work))
        self.assertEqual(self.database.generation, 1)

    def test_nothing_is_answered_from_a_new_file(self) -> None:
        """One question is refused for now; then the tree has been looked at again."""
        self.assertEqual(self.tags(), tags("a"))
        self.damage()
        self.failureResultOf(self.index.queries.tags(NAME, "", None), Unavailable)
        self.assertEqual(self.tags(), tags("a"))
        self.assertEqual(self.tags_of(Digest.of(b"a")), tags("a"))
        self.assertEqual(self.repositories(), [str(NAME)])

    def test_lost_during_a_look(self) -> None:
        """What was seen before is gone with the file: the look is not believed."""
        for number in range(700):
            self.add_tag(f"{number:03}", Digest.of(b"a"))
        done = self.reconciler.tags(NAME)
        self.assertNoResult(done)
        self.damage()
        for _ in range(1000):
            self.clock.advance(0)
        self.failureResultOf(done, Unavailable)
        self.assertEqual(len(self.tags()), 701)

    def test_damaged_before_the_start(self) -> None:
        """A file that is none costs nobody an answer."""
        self.path = os.path.join(self.mktemp(), "index.sqlite3")
        os.makedirs(os.path.dirname(self.path))
        with open(self.path, "wb") as file:
            file.write(b"no database" * 1000)
        self.start_anew()
        self.assertEqual(self.tags(), tags("a"))

    def test_damaged_between_two_looks(self) -> None:
        """What another look found is forgotten as well."""
        self.assertEqual(self.tags(), tags("a"))
        self.damage()
        self.assertEqual(self.repositories(), [str(NAME)])
        self.assertEqual(self.tags(), tags("a"))


class ReferrerIndexTests(TreeCase):
    """Who refers to what."""

    def test_found_in_the_tree(self) -> None:
        """An empty index learns who refers, in the order of digests."""
        subject = Digest.of(b"subject")
        found = sorted(
            (self.add_manifest(subject, note=str(number)) for number in range(9)),
            key=str,
        )
        self.add_manifest(None)
        self.add_manifest(Digest.of(b"other"))
        self.assertEqual(self.referrers(subject), found)
        self.assertEqual(self.referrers(subject, after=str(found[3])), found[4:])
        self.assertEqual(self.referrers(subject, limit=2), found[:2])
        self.assertEqual(self.referrers(Digest.of(b"nobody")), [])

    def test_what_is_told(self) -> None:
        """Type, length and annotations are those of the manifest."""
        subject = Digest.of(b"subject")
        digest = self.add_manifest(subject, "a/b", "ä")
        self.referrers(subject)
        (found,) = self.successResultOf(
            self.index.queries.referrers(NAME, subject, None, "", None)
        )
        content = self.successResultOf(self.driver.get(layout.blob_data(digest)))
        self.assertEqual(found.descriptor.size, len(content))
        self.assertEqual(found.descriptor.media_type, mediatypes.OCI_INDEX)
        self.assertEqual(found.artifact_type, "a/b")
        self.assertEqual(found.annotations, {"note": "ä"})

    def test_by_type(self) -> None:
        """The filter takes the whole of a type and nothing else."""
        subject = Digest.of(b"subject")
        wanted = self.add_manifest(subject, "a/b")
        self.add_manifest(subject, "a/bc")
        self.add_manifest(subject, "A/B")
        self.add_manifest(subject)
        self.assertEqual(self.referrers(subject, "a/b"), [wanted])
        self.assertEqual(self.referrers(subject, "a/%"), [])

    def test_other_algorithms(self) -> None:
        """Manifests and subjects of SHA-512 are found as well."""
        subject = Digest.of(b"subject", "sha512")
        found = self.add_manifest(subject, algorithm="sha512")
        self.assertEqual(self.referrers(subject), [found])
        self.assertEqual(self.referrers(Digest.of(b"subject")), [])

    def test_links_to_nothing(self) -> None:
        """A link to what is missing, or is no manifest, refers to nothing."""
        subject = Digest.of(b"subject")
        missing, layer = Digest.of(b"missing"), Digest.of(b"layer")
        for digest in (missing, layer):
            self.link(layout.revision_link(NAME, digest), digest)
        self.put(layout.blob_data(layer), b"layer")
        found = self.add_manifest(subject)
        self.assertEqual(self.referrers(subject), [found])

    def test_damaged_content(self) -> None:
        """Content that does not match its digest refers to nothing."""
        subject, other = Digest.of(b"subject"), Digest.of(b"other")
        digest = self.add_manifest(subject)
        content = self.successResultOf(self.driver.get(layout.blob_data(digest)))
        damaged = content.replace(str(subject).encode(), str(other).encode())
        self.put(layout.blob_data(digest), damaged)
        self.assertEqual(self.referrers(other), [])

    def test_gone_between_processes(self) -> None:
        """A manifest that was deleted meanwhile refers no more; new ones do."""
        self.path = os.path.join(self.mktemp(), "index.sqlite3")
        self.start_anew()
        subject = Digest.of(b"subject")
        gone = self.add_manifest(subject, note="gone")
        self.assertEqual(self.referrers(subject), [gone])
        self.successResultOf(self.driver.delete(layout.revision(NAME, gone)))
        new = self.add_manifest(subject, note="new")
        self.start_anew()
        self.assertEqual(self.referrers(subject), [new])

    def test_annotations_of_others_are_not_kept(self) -> None:
        """Only of what refers to something are annotations kept."""
        digest = self.add_manifest(None, note="long")
        content = self.successResultOf(self.driver.get(layout.blob_data(digest)))
        self.assertEqual(
            statements.manifest_added(NAME, parse(content)).values[-1], "{}"
        )

    def test_long_annotations(self) -> None:
        """However much manifests say, little of it waits for being written."""
        subject = Digest.of(b"subject")
        note = "x" * 100_000
        found = {self.add_manifest(subject, note=f"{n}{note}") for n in range(20)}
        longest = 0
        write = Look.write

        async def watch(look: Look, *written: Fact) -> None:
            nonlocal longest
            await write(look, *written)
            longest = max(longest, look._batch_length)

        self.patch(Look, "write", watch)
        self.assertEqual(set(self.referrers(subject)), found)
        self.assertGreater(longest, 100_000)
        self.assertLess(longest, 400_000)

    def test_half_a_character(self) -> None:
        """Text that SQLite cannot take does not keep a repository from being read."""
        subject = Digest.of(b"subject")
        good = self.add_manifest(subject, "a/b")
        self.add_manifest(subject, "\ud800")
        self.assertEqual(self.referrers(subject, "a/b"), [good])
