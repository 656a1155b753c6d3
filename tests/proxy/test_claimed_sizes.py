"""Sizes as an upstream claims them."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.proxy.claimed_sizes import MAX_SIZES, ClaimedSizes
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName

A, B = RepositoryName.parse("a"), RepositoryName.parse("b")


def descriptor(number: int, size: int | None = 7) -> Descriptor:
    return Descriptor(Digest.of(b"%d" % number), size)


class ClaimTests(SynchronousTestCase):
    """What was claimed, used once."""

    def setUp(self) -> None:
        self.sizes = ClaimedSizes()

    def take(self, number: int, name: RepositoryName = A) -> int | None:
        return self.sizes.take(name, descriptor(number).digest)

    def test_once(self) -> None:
        """A claim counts for one download: a wrong one does not stay in the way."""
        self.sizes.remember(A, [descriptor(1)])
        self.assertEqual([self.take(1), self.take(1)], [7, None])

    def test_repositories(self) -> None:
        """What is claimed in one repository says nothing of another."""
        self.sizes.remember(A, [descriptor(1)])
        self.assertIsNone(self.take(1, B))
        self.assertEqual(self.take(1), 7)

    def test_newest(self) -> None:
        """The newest claim counts."""
        self.sizes.remember(A, [descriptor(1), descriptor(1, 8)])
        self.assertEqual(self.take(1), 8)

    def test_no_claim(self) -> None:
        """A size that is missing, or 0, claims nothing."""
        self.sizes.remember(A, [descriptor(1, None), descriptor(2, 0)])
        self.assertEqual([self.take(1), self.take(2)], [None, None])

    def test_one_manifest(self) -> None:
        """One manifest fills no more than its part, however long it is."""
        self.sizes.remember(A, map(descriptor, range(1000)))
        known = [number for number in range(1000) if self.take(number) is not None]
        self.assertEqual(known, list(range(256)))

    def test_limit(self) -> None:
        """Beyond the limit the oldest are forgotten."""
        for number in range(MAX_SIZES + 1):
            self.sizes.remember(A, [descriptor(number)])
        self.assertEqual([self.take(0), self.take(1)], [None, 7])
