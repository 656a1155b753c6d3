"""What stays free."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.space import MinFree, parse_percent


class MinFreeTests(SynchronousTestCase):
    """Bytes, or a share."""

    def test_of(self) -> None:
        """A size is itself on any disk, a share is of the whole disk."""
        self.assertEqual(MinFree(5).of(1000), 5)
        self.assertEqual(MinFree(percent=12.5).of(1000), 125)
        self.assertEqual(MinFree().of(1000), 0)

    def test_truth(self) -> None:
        """Nothing is asked for by neither."""
        self.assertFalse(MinFree())
        self.assertTrue(MinFree(1))
        self.assertTrue(MinFree(percent=0.5))

    def test_percent(self) -> None:
        """A percentage is below 100, with or without a space."""
        found = [parse_percent(text) for text in ("10%", "0.5 %", "100%", "10", "-1%")]
        self.assertEqual(found, [10.0, 0.5, None, None, None])
