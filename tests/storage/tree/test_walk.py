"""The tree, walked."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.storage.index.test_tree_index import TreeCase
from txregistry.flow.deferred import deferred
from txregistry.flow.disk import InlineDisk
from txregistry.interfaces.driver import DriverError
from txregistry.spec import mediatypes
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName, Tag
from txregistry.storage.tree import layout
from txregistry.storage.tree.walk import (
    digests_of_tag,
    manifest_in_tree,
    revisions_in_tree,
    tags_in_tree,
    walk_repositories,
)
from txregistry.storagedriver.filesystem.driver import FilesystemDriver
from txregistry.storagedriver.inmemory import MemoryDriver

NAME = RepositoryName.parse("a/b")
ONE, TWO = Digest.of(b"1"), Digest.of(b"2", "sha512")


class BrokenDriver(MemoryDriver):
    """A driver with one directory that cannot be read."""

    broken = ""

    async def scan(self, path: str) -> AsyncIterator[str]:
        if path == self.broken:
            raise DriverError("inmemory", path, "I/O error")
        async for child in super().scan(path):
            yield child


class WalkCase(SynchronousTestCase):
    """A driver in memory."""

    def setUp(self) -> None:
        self.driver = BrokenDriver(Clock())

    def put(self, *paths: str, content: bytes = b"") -> None:
        for path in paths:
            self.successResultOf(self.driver.put(path, content))

    def gathered(self, found: AsyncIterator[Any]) -> set[Any]:
        @deferred
        async def gather() -> list[Any]:
            return [item async for item in found]

        listed = self.successResultOf(gather())
        self.assertEqual(len(listed), len(set(listed)))
        return set(listed)


class RepositoryTests(WalkCase):
    """Names that hold something."""

    def names(self, **options: Any) -> set[str]:
        return set(map(str, self.gathered(walk_repositories(self.driver, **options))))

    def test_names(self) -> None:
        """Each name with blobs or manifests, also one below another; no other."""
        for name in ("a", "a/b", "a/b/c"):
            self.put(layout.layer_link(RepositoryName.parse(name), ONE))
        self.put(layout.revision_link(RepositoryName.parse("d/e"), ONE))
        self.put(layout.upload_data(RepositoryName.parse("f"), "u"))
        self.put(f"{layout.REPOSITORIES}/README", f"{layout.REPOSITORIES}/G/_layers/x")
        self.assertEqual(self.names(), {"a", "a/b", "a/b/c", "d/e"})

    def test_nothing(self) -> None:
        """A disk without a tree has none."""
        self.assertEqual(self.names(), set())

    def test_unreadable(self) -> None:
        """A directory that cannot be read is skipped and told, or ends the walk."""
        for name in ("a/x", "b"):
            self.put(layout.layer_link(RepositoryName.parse(name), ONE))
        self.driver.broken = f"{layout.REPOSITORIES}/a"
        told: list[DriverError] = []
        self.assertEqual(self.names(unreadable=told.append), {"b"})
        self.assertEqual([error.path for error in told], [self.driver.broken])

        @deferred
        async def walk() -> None:
            async for _ in walk_repositories(self.driver):
                pass

        self.failureResultOf(walk(), DriverError)


class TagTests(WalkCase):
    """Tags of a repository."""

    def tags(self) -> set[str]:
        return set(map(str, self.gathered(tags_in_tree(self.driver, NAME))))

    def test_tags(self) -> None:
        """Those that stand for something; what a crash left, and files, do not."""
        self.put(layout.tag_current(NAME, Tag.parse("v1")))
        self.put(layout.tag_index(NAME, Tag.parse("half"), ONE))
        self.put(f"{layout.tags(NAME)}/.Trash-0/current/link")
        self.assertEqual(self.tags(), {"v1"})

    def test_no_tags(self) -> None:
        """A repository without any has none."""
        self.put(layout.layer_link(NAME, ONE))
        self.assertEqual(self.tags(), set())


class HistoryTests(WalkCase):
    """What a tag has stood for."""

    def test_digests(self) -> None:
        """All that is linked, of every algorithm; nothing without a history."""
        tag = Tag.parse("v1")

        def digests() -> set[Digest]:
            return set(self.gathered(digests_of_tag(self.driver, NAME, tag)))

        self.assertEqual(digests(), set())
        self.put(layout.tag_index(NAME, tag, ONE), layout.tag_index(NAME, tag, TWO))
        self.put(f"{layout.tag(NAME, tag)}/index/sha256/notes/link")
        self.put(layout.tag_index(NAME, Tag.parse("v2"), Digest.of(b"3")))
        self.assertEqual(digests(), {ONE, TWO})


class RevisionTests(WalkCase):
    """Manifests of a repository."""

    def test_revisions(self) -> None:
        """Those that are linked, of every algorithm."""
        self.put(layout.revision_link(NAME, ONE), layout.revision_link(NAME, TWO))
        unlinked = Digest.of(b"3")
        self.put(layout.signature_link(NAME, unlinked, ONE))
        self.put(f"{layout.revisions(NAME)}/sha256/notes/link")
        found = self.gathered(revisions_in_tree(self.driver, NAME))
        self.assertEqual(found, {ONE, TWO})

    def manifest(self, content: bytes, digest: Digest | None = None) -> Any:
        digest = digest or Digest.of(content)
        self.put(layout.blob_data(digest), content=content)
        return self.successResultOf(deferred(manifest_in_tree)(self.driver, digest))

    def test_manifest(self) -> None:
        """A manifest is read, by the digest that was asked for."""
        content = json.dumps({"schemaVersion": 2, "manifests": []}).encode()
        found = self.manifest(content, Digest.of(content, "sha512"))
        self.assertEqual(found.media_type, mediatypes.OCI_INDEX)
        self.assertEqual(found.digest, Digest.of(content, "sha512"))

    def test_no_manifest(self) -> None:
        """One that is damaged, no manifest, or not there refers to nothing."""
        content = json.dumps({"schemaVersion": 2, "manifests": []}).encode()
        self.assertIsNone(self.manifest(content, ONE))
        self.assertIsNone(self.manifest(b"some bytes"))
        gone = deferred(manifest_in_tree)(self.driver, Digest.of(b"gone"))
        self.assertIsNone(self.successResultOf(gone))


class TreeWalkTests(TreeCase):
    """Looking at the tree itself."""

    def collect(self, found: object) -> list[object]:
        async def walk() -> list[object]:
            return [item async for item in found]  # type: ignore[attr-defined]

        return self.successResultOf(Deferred.fromCoroutine(walk()))

    def test_empty_tree(self) -> None:
        """Where there is nothing, nothing is found."""
        self.assertEqual(self.collect(walk_repositories(self.driver)), [])
        self.assertEqual(self.collect(revisions_in_tree(self.driver, NAME)), [])
        self.assertEqual(self.collect(tags_in_tree(self.driver, NAME)), [])

    def test_what_is_no_name(self) -> None:
        """Directories that others put among repositories are passed over."""
        root = os.path.abspath(self.mktemp())
        self.driver = FilesystemDriver(root, InlineDisk())
        self.add_manifest()
        for name in ("@eaDir", "lost+found", "UPPER", "a/-x", "caf\udce9"):
            os.makedirs(f"{root}{layout.REPOSITORIES}/{name}/_layers")
        found = self.collect(walk_repositories(self.driver))
        self.assertEqual(found, [NAME])

    def test_digests(self) -> None:
        """Digests of all algorithms are found, and other directories are not."""
        found = [Digest.of(b"a", name) for name in ("sha256", "sha384", "sha512")]
        for digest in found:
            self.link(layout.layer_link(NAME, digest), digest)
            self.link(layout.revision_link(NAME, digest), digest)
        self.put(f"{layout.layers(NAME)}/sha256/short/link", b"x")
        self.put(f"{layout.layers(NAME)}/md5/{'0' * 32}/link", b"x")
        self.assertEqual(self.collect(revisions_in_tree(self.driver, NAME)), found)

    def test_directories_that_look_like_digests(self) -> None:
        """A directory of the right length that is no digest is passed over."""
        self.put(f"{layout.revisions(NAME)}/sha256/{'X' * 64}/link", b"x")
        self.assertEqual(self.collect(revisions_in_tree(self.driver, NAME)), [])
        self.assertEqual(self.referrers(Digest.of(b"subject")), [])

    def test_what_a_crash_left(self) -> None:
        """A directory without its link is neither a tag nor a manifest."""
        digest = Digest.of(b"a")
        self.link(f"{layout.tag(NAME, Tag('half'))}/index/sha256/x/link", digest)
        self.put(f"{layout.revisions(NAME)}/sha256/{digest.hex}/signatures/x", b"x")
        self.assertEqual(self.collect(tags_in_tree(self.driver, NAME)), [])
        self.assertEqual(self.collect(revisions_in_tree(self.driver, NAME)), [])
        self.assertEqual(self.tags(), [])
