"""Metrics of the room on the disk."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.interfaces.driver import DiskSpace
from txregistry.interfaces.eviction import ISpaceMeter, SpaceUsage
from txregistry.observe.metrics import Metrics


class SpaceTests(SynchronousTestCase):
    """They are there once something was measured."""

    def value(self, name: str) -> float | None:
        full = f"registry_proxy_disk_{name}_bytes"
        return self.metrics.registry.get_sample_value(full)

    def test_gauges(self) -> None:
        """Each has the last value."""
        self.metrics = Metrics("u")
        verifyObject(ISpaceMeter, self.metrics.space)
        self.assertIsNone(self.value("stored"))
        self.metrics.space.measured(SpaceUsage(1, 2, 0, 3), 4, 5)
        names = ("stored", "partial", "limit", "keep_free", "free")
        self.assertEqual([self.value(x) for x in names], [1, 5, 4, 5, None])
        self.metrics.space.measured(SpaceUsage(disk=DiskSpace(9, 6)), 0, 0)
        self.assertEqual([self.value(x) for x in names], [0, 0, 0, 0, 6])
