"""Lists of tags of an upstream."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.proxy.tag_lists import MAX_BYTES, TagLists, page_of
from txregistry.spec.freshness import TagPolicy
from txregistry.spec.reference import RepositoryName, Tag

A, B = RepositoryName.parse("a"), RepositoryName.parse("b")
TAGS = [Tag(text) for text in ("a", "b", "c", "d")]


class ListTests(SynchronousTestCase):
    """Whole lists, while they are fresh."""

    def setUp(self) -> None:
        self.lists = TagLists(TagPolicy(60.0))

    def test_fresh(self) -> None:
        """A list is given while it is fresh, in its own repository only."""
        self.lists.remember(A, TAGS, 100.0)
        self.assertEqual(self.lists.find(A, 159.9), TAGS)
        self.assertIsNone(self.lists.find(A, 160.0))
        self.assertIsNone(self.lists.find(B, 100.0))

    def test_empty(self) -> None:
        """That there are no tags is an answer too."""
        self.lists.remember(A, [], 100.0)
        self.assertEqual(self.lists.find(A, 100.0), [])

    def test_never(self) -> None:
        """Where each question is asked anew, none is given."""
        lists = TagLists(TagPolicy(0.0))
        lists.remember(A, TAGS, 100.0)
        self.assertIsNone(lists.find(A, 100.0))

    def test_limit(self) -> None:
        """A list that is too long is not kept; others make room for one another."""
        self.lists.remember(A, [Tag("t")] * (MAX_BYTES // 100), 100.0)
        self.assertIsNone(self.lists.find(A, 100.0))
        third = [Tag("t")] * (MAX_BYTES // 151 // 2 - 10)
        for name in ("a", "b", "c"):
            self.lists.remember(RepositoryName(name), third, 100.0)
        found = [self.lists.find(RepositoryName(name), 100.0) for name in "abc"]
        self.assertEqual([each is not None for each in found], [False, True, True])


class PageTests(SynchronousTestCase):
    """Pages that are cut from one."""

    def test_pages(self) -> None:
        """What comes after a text, which need not be a tag, and no more than wanted."""
        for after, limit, expected in (
            ("", None, "abcd"),
            ("", 2, "ab"),
            ("b", 1, "c"),
            ("bb", None, "cd"),
            ("b", 10, "cd"),
            ("d", 2, ""),
            ("", 0, ""),
        ):
            found = "".join(map(str, page_of(TAGS, after, limit)))
            self.assertEqual(found, expected, (after, limit))
