"""Which repositories of an upstream do not support HEAD for manifests."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.remote.head_support import (
    MAX_REPOSITORIES,
    REMEMBERED_SECONDS,
    UPSTREAM_THRESHOLD,
    HeadSupport,
)
from txregistry.spec.reference import RepositoryName

NAMES = [RepositoryName(name) for name in "abcdefg"]


class HeadSupportTests(SynchronousTestCase):
    """Whether HEAD is worth a question."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_000_000)
        self.head_support = HeadSupport(self.clock)

    def refuse(self, *names: RepositoryName) -> None:
        """Have HEAD refused, and GET answered."""
        for name in names:
            self.head_support.head_refused(name)
            self.head_support.get_answered(name)

    def test_unknown(self) -> None:
        """It is, as long as nothing was seen."""
        self.assertTrue(self.head_support.supports_head(NAMES[0]))
        self.head_support.get_answered(NAMES[0])
        self.assertTrue(self.head_support.supports_head(NAMES[0]))

    def test_both_refused(self) -> None:
        """What GET does not answer either says nothing of HEAD."""
        self.head_support.head_refused(NAMES[0])
        self.assertTrue(self.head_support.supports_head(NAMES[0]))

    def test_refused(self) -> None:
        """A repository speaks for itself, for an hour."""
        self.refuse(NAMES[0])
        self.assertFalse(self.head_support.supports_head(NAMES[0]))
        self.assertTrue(self.head_support.supports_head(NAMES[1]))
        self.clock.advance(REMEMBERED_SECONDS - 1)
        self.assertFalse(self.head_support.supports_head(NAMES[0]))
        self.clock.advance(1)
        self.assertTrue(self.head_support.supports_head(NAMES[0]))

    def test_several(self) -> None:
        """Several in a row speak for the upstream, for an hour after the last."""
        self.refuse(*NAMES[: UPSTREAM_THRESHOLD - 1])
        self.assertTrue(self.head_support.supports_head(NAMES[-1]))
        self.refuse(NAMES[0], NAMES[UPSTREAM_THRESHOLD])
        self.assertFalse(self.head_support.supports_head(NAMES[-1]))
        self.clock.advance(REMEMBERED_SECONDS)
        self.assertTrue(self.head_support.supports_head(NAMES[-1]))

    def test_answered(self) -> None:
        """One that answers ends the row, and what was seen of itself."""
        self.refuse(*NAMES[:UPSTREAM_THRESHOLD])
        self.head_support.head_answered(NAMES[0])
        self.assertTrue(self.head_support.supports_head(NAMES[0]))
        self.assertTrue(self.head_support.supports_head(NAMES[-1]))
        self.assertFalse(self.head_support.supports_head(NAMES[1]))
        self.head_support.head_refused(NAMES[2])
        self.head_support.head_answered(NAMES[2])
        self.head_support.get_answered(NAMES[2])
        self.assertTrue(self.head_support.supports_head(NAMES[2]))

    def test_many_that_are_not_there(self) -> None:
        """Clients that ask for nonsense keep us from learning nothing."""
        for number in range(MAX_REPOSITORIES + 1):
            self.head_support.head_refused(RepositoryName(f"nonsense/{number}"))
        self.refuse(NAMES[0])
        self.assertFalse(self.head_support.supports_head(NAMES[0]))
        self.assertEqual(len(self.head_support._unconfirmed), MAX_REPOSITORIES - 1)
