"""Memory for bodies on their way."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow.buffer_budget import BODIES, BufferBudget


class BudgetTests(SynchronousTestCase):
    """A hundred bytes, of which each may have from 5 to 40."""

    def test_shares(self) -> None:
        """Few have much, many have little, and all have something."""
        budget = BufferBudget(total=100, max_share=40, min_share=5)
        for transfers, share in ((0, 40), (1, 40), (2, 40), (3, 33), (20, 5), (999, 5)):
            self.assertEqual(budget.share(transfers), share, transfers)

    def test_bodies(self) -> None:
        """What there is in a process is in order."""
        self.assertLess(BODIES.min_share, BODIES.max_share)
        self.assertLess(BODIES.max_share, BODIES.total)
