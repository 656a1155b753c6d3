"""What all repositories of one cache share."""

from __future__ import annotations

from unittest import mock

import attrs
from twisted.internet.defer import fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.interfaces.expiry import EntryKey, Kind, LedgerAway
from txregistry.proxy.context import CacheContext, make_cache_context
from txregistry.spec.digest import Digest
from txregistry.spec.freshness import TagPolicy
from txregistry.spec.reference import RepositoryName, Tag

NAME = RepositoryName.parse("a")


class ContextTests(SynchronousTestCase):
    """A new cache."""

    def make(self, recheck: float = 0.0) -> CacheContext:
        self.clock = Clock()
        self.clock.advance(1000)
        parts = [mock.Mock() for _ in range(2)]
        policy, more = TagPolicy(60.0), [mock.Mock() for _ in range(4)]
        return make_cache_context(*parts, policy, *more, self.clock, recheck)

    def test_parts(self) -> None:
        """It begins now, and its parts have its settings."""
        made = self.make(recheck=30.0)
        self.assertEqual(made.started_at, 1000.0)
        key = EntryKey(NAME, Kind.BLOB, "x")
        made.rights.record(key)
        made.confirmations.confirm.assert_called_once_with(key, 1000.0, "")
        self.clock.advance(29)
        self.assertTrue(made.rights.is_recent(key))
        made.tag_lists.remember(NAME, [Tag("t")], 1000.0)
        self.assertIsNotNone(made.tag_lists.find(NAME, 1059.0))
        self.assertIsNone(made.tag_lists.find(NAME, 1060.0))

    def test_given(self) -> None:
        """Content counts if a repository of this upstream holds it; never in doubt."""
        made = attrs.evolve(self.make(), is_ours=lambda name: name == NAME)
        other, digest = RepositoryName.parse("b"), Digest.of(b"x")
        for holders, expected in (
            (succeed(frozenset()), False),
            (succeed(frozenset((other,))), False),
            (succeed(frozenset((other, NAME))), True),
            (fail(LedgerAway()), False),
        ):
            made.index.holders.return_value = holders
            found = self.successResultOf(made.has_been_given(digest))
            self.assertEqual(found, expected)

    def test_apart(self) -> None:
        """Two caches share nothing."""
        first, second = self.make(), self.make()
        for name in ("rights", "pending", "tag_lists", "answers"):
            self.assertIsNot(getattr(first, name), getattr(second, name))
