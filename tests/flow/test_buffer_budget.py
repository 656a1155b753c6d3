"""Memory for bodies on their way."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow.buffer_budget import BODIES, BufferBudget


class BudgetTests(SynchronousTestCase):
    """A hundred bytes, of which each may have from 5 to 40."""

    def test_shares(self) -> None:
        """Few have much, many have little, and all have something."""
        budget = BufferBudget(whole=100, most=40, least=5)
        for takers, share in ((0, 40), (1, 40), (2, 40), (3, 33), (20, 5), (999, 5)):
            self.assertEqual(budget.share(takers), share, takers)

    def test_bodies(self) -> None:
        """What there is in a process is in order."""
        self.assertLess(BODIES.least, BODIES.most)
        self.assertLess(BODIES.most, BODIES.whole)
