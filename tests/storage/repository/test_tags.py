"""Changes of one tag at the same time: the index and the link say the same."""

from __future__ import annotations

import attrs
from twisted.internet.defer import CancelledError, Deferred
from zope.interface import implementer

from tests.storage.index.test_tree_index import NAME, SlowDriver, TreeCase, tags
from tests.storage.test_namespace import StorageCase
from txregistry.interfaces.driver import FileStat, IPruner, PathNotFound
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import (
    ManifestUnknown,
)
from txregistry.spec.manifest.parse import parse
from txregistry.spec.reference import Tag
from txregistry.storage.index.names import Names
from txregistry.storage.repository.tags import LinkedTags
from txregistry.storage.tree import layout
from txregistry.testing.repositories import image_manifest

ONE, TWO = Digest.of(b"1"), Digest.of(b"2")
TAG = Tag("t")


@implementer(IPruner)
@attrs.define(eq=False)
class PruningDriver(SlowDriver):
    """Prunes when it is told to."""

    pruning: list[Deferred[None]] = attrs.field(factory=list)
    slow: list[Deferred[FileStat]] | None = None

    def stat(self, path: str) -> Deferred[FileStat]:
        if self.slow is None:
            return super().stat(path)
        self.slow.append(Deferred())
        return self.slow[-1]

    def prune(self, path: str, stop: str) -> Deferred[None]:
        self.pruning.append(Deferred())
        return self.pruning[-1]

    async def sweep(self, path: str, before: float) -> int:
        return 0


class TagRaceTests(TreeCase):
    """A tag that is removed and set at the same time."""

    def setUp(self) -> None:
        super().setUp()
        self.driver = PruningDriver(self.clock)
        self.start_anew()
        self.add_manifest()
        self.add_tag("t", ONE)
        self.tags()
        names = Names(self.driver, self.reconciler, self.clock)
        self.linked = LinkedTags(NAME, self.driver, self.reconciler, names)

    def current(self) -> bytes:
        return self.successResultOf(self.driver.get(layout.tag_current(NAME, TAG)))

    def test_set_while_it_is_removed(self) -> None:
        """Whoever comes later waits, and has the last word in both places."""
        removed = self.linked.untag(TAG)
        added = self.linked.tag(TAG, Descriptor(TWO, None))
        self.assertNoResult(added)
        self.driver.pruning[0].callback(None)
        self.successResultOf(removed)
        self.successResultOf(added)
        self.assertEqual(self.current(), str(TWO).encode())
        self.assertEqual(self.tags(), tags("t"))

    def test_given_up(self) -> None:
        """A change that nobody waits for any more is made in both places."""
        removed = self.linked.untag(TAG)
        removed.cancel()
        self.failureResultOf(removed, CancelledError)
        added = self.linked.tag(TAG, Descriptor(TWO, None))
        self.assertNoResult(added)
        self.driver.pruning[0].callback(None)
        self.successResultOf(added)
        self.assertEqual(self.current(), str(TWO).encode())
        self.assertEqual(self.tags(), tags("t"))
        self.assertEqual(self.tags_of(TWO), tags("t"))

    def test_repository_that_is_added_to_as_it_goes(self) -> None:
        """It stays in the catalogue when content comes while the last is removed."""
        self.assertEqual(self.repositories(), [str(NAME)])
        self.reconciler.added(NAME)
        self.driver.slow = []
        removed = self.reconciler.removed(NAME)
        self.reconciler.added(NAME)
        while self.driver.slow:
            self.driver.slow.pop(0).errback(PathNotFound("slow", "/x"))
        self.successResultOf(removed)
        self.assertEqual(self.repositories(), [str(NAME)])

    def test_removed_only_from_one_manifest(self) -> None:
        """A tag that has gone on to another manifest is not taken from that."""
        done = self.linked.untag(TAG, TWO)
        self.failureResultOf(done, ManifestUnknown)
        self.assertEqual(self.current(), str(ONE).encode())
        done = self.linked.untag(TAG, ONE)
        self.driver.pruning[0].callback(None)
        self.successResultOf(done)
        self.assertEqual(self.tags(), [])


class TagHistoryTests(StorageCase):
    """What a tag stood for."""

    def test_tag_history(self) -> None:
        """A tag that moves keeps what it stood for in its index."""
        first = self.ok(
            self.repository.manifests.put(parse(image_manifest()), [Tag("v")])
        )
        newer = parse(image_manifest(note="2"))
        second = self.ok(self.repository.manifests.put(newer, [Tag("v")]))
        current = self.ok(self.repository.tags.get(tag=Tag("v")))
        self.assertEqual(current.digest, second.digest)
        for digest in (first.digest, second.digest):
            self.assertTrue(self.exists(layout.tag_index(NAME, Tag("v"), digest)))
        self.assertEqual(self.ok(self.repository.tags.lookup(first.digest)), [])
        self.assertEqual(
            self.ok(self.repository.tags.lookup(second.digest)), [Tag("v")]
        )
        self.ok(self.repository.tags.untag(tag=Tag("v")))
        self.failureResultOf(self.repository.tags.untag(tag=Tag("v")), ManifestUnknown)
