"""What a cache takes."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.interfaces.eviction import SpaceUsage


class UsageTests(SynchronousTestCase):
    """Sums."""

    def test_sums(self) -> None:
        """Downloads and what is left of them count, each byte once."""
        usage = SpaceUsage(100, reserved=20, unwritten=15, idle=3)
        self.assertEqual((usage.partial, usage.total), (23, 123))
        self.assertEqual(SpaceUsage().total, 0)
