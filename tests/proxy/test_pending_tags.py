"""Tags that wait for their manifest."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.proxy.pending_tags import MAX_PENDING, PendingTags
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName, Tag

NAME, OTHER = RepositoryName("a"), RepositoryName("b")
OLD, NEW = Digest.of(b"old"), Digest.of(b"new")


class PendingTests(SynchronousTestCase):
    """Who waits for which manifest."""

    def setUp(self) -> None:
        self.pending = PendingTags()

    def test_taken_once(self) -> None:
        """All tags of a manifest are given, in the order in which they came, once."""
        for tag in ("one", "two"):
            self.pending.add(NAME, Tag(tag), NEW)
        self.assertEqual(self.pending.pop(NAME, NEW), [Tag("one"), Tag("two")])
        self.assertEqual(self.pending.pop(NAME, NEW), [])

    def test_others_wait_on(self) -> None:
        """Other repositories and other manifests are others' business."""
        self.pending.add(NAME, Tag("tag"), NEW)
        self.assertEqual(self.pending.pop(OTHER, NEW), [])
        self.assertEqual(self.pending.pop(NAME, OLD), [])
        self.assertEqual(self.pending.pop(NAME, NEW), [Tag("tag")])

    def test_moved(self) -> None:
        """A tag waits for what it was to stand for last."""
        self.pending.add(NAME, Tag("tag"), OLD)
        self.pending.add(NAME, Tag("tag"), NEW)
        self.assertEqual(self.pending.pop(NAME, OLD), [])
        self.assertEqual(self.pending.pop(NAME, NEW), [Tag("tag")])

    def test_settled(self) -> None:
        """A tag that is settled waits for nothing; to settle it twice is nothing."""
        self.pending.add(NAME, Tag("tag"), NEW)
        self.pending.add(OTHER, Tag("tag"), NEW)
        self.pending.discard(NAME, Tag("tag"))
        self.pending.discard(NAME, Tag("tag"))
        self.assertEqual(self.pending.pop(NAME, NEW), [])
        self.assertEqual(self.pending.pop(OTHER, NEW), [Tag("tag")])

    def test_bound(self) -> None:
        """Of too many the oldest are forgotten."""
        for number in range(MAX_PENDING + 1):
            self.pending.add(NAME, Tag(f"t{number}"), NEW)
        taken = self.pending.pop(NAME, NEW)
        self.assertEqual(len(taken), MAX_PENDING)
        self.assertNotIn(Tag("t0"), taken)
