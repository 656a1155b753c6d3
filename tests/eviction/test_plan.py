"""How much has to go."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.eviction.plan import SpacePlan
from txregistry.interfaces.driver import DiskSpace
from txregistry.interfaces.eviction import Limit, Shortage, SpaceUsage
from txregistry.spec.space import MinFree

DISK = DiskSpace(1000, 300)


class PlanTests(SynchronousTestCase):
    """Limits of the size, of the disk, of both or none."""

    def test_no_limit(self) -> None:
        """Without limits nothing has to go, and everything may come."""
        usage = SpaceUsage(10**15, disk=DISK)
        self.assertIsNone(SpacePlan().shortage(usage, 10**15))
        self.assertTrue(SpacePlan().may_fit(usage, 10**15))

    def test_size(self) -> None:
        """Stored, reserved and idle bytes count."""
        plan, usage = SpacePlan(100), SpaceUsage(50, reserved=20, unwritten=20, idle=10)
        self.assertIsNone(plan.shortage(usage, 20))
        self.assertEqual(plan.shortage(usage, 21), Shortage(1, Limit.SIZE))
        self.assertTrue(plan.may_fit(usage, 100))
        self.assertFalse(plan.may_fit(usage, 101))

    def test_free(self) -> None:
        """What is free counts but for what downloads will still write."""
        plan = SpacePlan(min_free=MinFree(percent=20.0))
        usage = SpaceUsage(500, reserved=90, unwritten=60, disk=DISK)
        self.assertEqual(plan.keep_free(usage), 200)
        self.assertIsNone(plan.shortage(usage, 40))
        self.assertEqual(plan.shortage(usage, 41), Shortage(1, Limit.FREE))
        self.assertTrue(plan.may_fit(usage, 800))
        self.assertFalse(plan.may_fit(usage, 801))

    def test_ballast(self) -> None:
        """What others have written is made up for."""
        plan = SpacePlan(min_free=MinFree(400))
        self.assertEqual(
            plan.shortage(SpaceUsage(disk=DISK)), Shortage(100, Limit.FREE)
        )

    def test_both(self) -> None:
        """The larger shortage decides."""
        plan = SpacePlan(100, MinFree(400))
        usage = SpaceUsage(190, disk=DISK)
        self.assertEqual(plan.shortage(usage), Shortage(100, Limit.FREE))
        self.assertEqual(plan.shortage(usage, 20).size, 120)
        wide = SpaceUsage(500, disk=DISK)
        self.assertEqual(plan.shortage(wide), Shortage(400, Limit.SIZE))

    def test_unknown_disk(self) -> None:
        """A disk that tells nothing has no limit."""
        plan = SpacePlan(min_free=MinFree(400))
        self.assertIsNone(plan.shortage(SpaceUsage(), 10**9))
        self.assertTrue(plan.may_fit(SpaceUsage(), 10**9))
