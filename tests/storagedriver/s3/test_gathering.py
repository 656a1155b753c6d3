"""The size of parts."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.storagedriver.s3.gathering import Gathered, part_bytes, parts_budget

MIB = 1024 * 1024


class GatheringTests(SynchronousTestCase):
    """Parts in memory."""

    def test_sizes(self) -> None:
        """As configured; smaller with many writers; larger towards the last part."""
        budget = parts_budget(10 * MIB)
        self.assertEqual(part_bytes(budget, 1, 0), 10 * MIB)
        self.assertEqual(part_bytes(budget, 1000, 0), 5 * MIB)
        written = parts = 0
        while written < 100 << 30:
            written += part_bytes(budget, 1, written)
            parts += 1
        self.assertLess(parts, 10_000)

    def test_gathered(self) -> None:
        """A part takes what there is room for."""
        part = Gathered(4)
        self.assertEqual(part.add(b"abc"), b"")
        self.assertFalse(part.is_full)
        self.assertEqual(part.add(b"def"), b"ef")
        self.assertTrue(part.is_full)
