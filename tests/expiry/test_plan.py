"""When things are due."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.expiry.plan import ExpiryPlan


class PlanTests(SynchronousTestCase):
    """What follows from a time to live."""

    def test_nothing_expires_without_one(self) -> None:
        """Zero keeps everything for ever."""
        self.assertFalse(ExpiryPlan(0).expires)
        self.assertTrue(ExpiryPlan(0.5).expires)

    def test_interval(self) -> None:
        """It looks ten times within the time to live, but no more often than 1 s."""
        for ttl, interval in ((0.5, 1), (10, 1), (50, 5), (600, 60), (86400, 60)):
            self.assertEqual(ExpiryPlan(ttl).interval_seconds, interval, ttl)

    def test_due(self) -> None:
        """What was last used before the cutoff is what is due by now."""
        plan, now = ExpiryPlan(100), 1000.0
        self.assertEqual(plan.cutoff(now), 900)
        for last_use in (899.0, 900.0, 901.0):
            is_due = plan.expiry(last_use) < now
            self.assertEqual(last_use < plan.cutoff(now), is_due)

    def test_round_trip(self) -> None:
        """When it is due says when it was used."""
        plan = ExpiryPlan(100)
        self.assertEqual(plan.expiry(5), 105)
        self.assertEqual(plan.last_use(plan.expiry(5)), 5)
