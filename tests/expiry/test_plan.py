"""When things are due."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.expiry.plan import ExpiryPlan
from txregistry.interfaces.expiry import Entry, EntryKey, Kind
from txregistry.spec.reference import RepositoryName

NAME = RepositoryName.parse("a")


def entry(name: str, last_use: float) -> Entry:
    return Entry(EntryKey(RepositoryName.parse(name), Kind.TAG, "v1"), 0, last_use)


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
            is_due = plan.expiry(NAME, last_use) < now
            self.assertEqual(last_use < plan.cutoff(now), is_due)
            self.assertEqual(plan.is_due(entry("a", last_use), now), is_due)

    def test_upstreams(self) -> None:
        """Each has its own time to live, and the shortest says how often to look."""
        plan = ExpiryPlan(1000, {"corp": 50, "kept": 0})
        self.assertEqual(plan.interval_seconds, 5)
        self.assertEqual(plan.cutoff(2000), 1950)
        for name, ttl in (
            ("a/b", 1000),
            ("corp/b", 50),
            ("kept/b", 0),
            ("corpx", 1000),
        ):
            self.assertEqual(plan.ttl_of(RepositoryName.parse(name)), ttl)
            is_due = plan.is_due(entry(name, 2000 - ttl - 1), 2000)
            self.assertEqual(is_due, ttl > 0, name)
            self.assertFalse(plan.is_due(entry(name, 2000 - ttl), 2000), name)
        self.assertTrue(ExpiryPlan(0, {"corp": 5}).expires)
        self.assertFalse(ExpiryPlan(0, {"corp": 0}).expires)

    def test_kept(self) -> None:
        """Local content is never due."""
        plan = ExpiryPlan(10, is_kept=lambda name: name.text == "team/a")
        self.assertFalse(plan.is_due(entry("team/a", 0), 1e9))
        self.assertTrue(plan.is_due(entry("team/b", 0), 1e9))

    def test_round_trip(self) -> None:
        """When it is due says when it was used."""
        plan = ExpiryPlan(100)
        self.assertEqual(plan.expiry(NAME, 5), 105)
        self.assertEqual(plan.last_use(NAME, plan.expiry(NAME, 5)), 5)
