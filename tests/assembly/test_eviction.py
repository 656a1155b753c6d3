"""The room of a cache, by its configuration."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.assembly.test_reload import CACHE, DaemonCase
from txregistry.assembly.eviction import (
    read_pins,
    space_plan,
    tell_of_limits,
)
from txregistry.config.cache import CacheSection
from txregistry.eviction.plan import SpacePlan
from txregistry.spec.reference import RepositoryName
from txregistry.spec.space import MinFree
from txregistry.storagedriver.inmemory import MemoryDriver
from txregistry.testing.house import TestHouse


class PlanTests(SynchronousTestCase):
    """What the section says, and where it says nothing."""

    def warnings(self, cache: CacheSection, house: TestHouse) -> list[str]:
        said: list[str] = []
        self.patch(
            tell_of_limits.__globals__["_log"],
            "warn",
            said.append,
        )
        tell_of_limits(cache, house.stored)
        return said

    def test_limits(self) -> None:
        """Both limits are taken over."""
        plan = space_plan(CacheSection(5, "10%"), TestHouse().stored)
        self.assertEqual(plan, SpacePlan(5, MinFree(percent=10.0)))
        self.assertEqual(len(read_pins(["a", "b:v1"])), 2)

    def test_others(self) -> None:
        """Where others use what is stored nothing is deleted for room."""
        house = TestHouse(driver=MemoryDriver(Clock(), is_shared=True))
        section = CacheSection(5)
        self.assertEqual(space_plan(section, house.stored), SpacePlan())
        (said,) = self.warnings(section, house)
        self.assertIn("others use the storage", said)
        self.assertEqual(self.warnings(CacheSection(), house), [])

    def test_no_file_system(self) -> None:
        """A share of what has no size is told of."""
        (said,) = self.warnings(CacheSection(minfree="5%"), TestHouse())
        self.assertIn("no file system", said)


class DaemonTests(DaemonCase):
    """A daemon with limits."""

    def room(self) -> Any:
        (found,) = (
            service
            for service in self.registry._parts
            if type(service).__name__ == "Room"
        )
        return found

    def test_pins_of_a_new_upstream(self) -> None:
        """Pins mean what clients call repositories now."""
        pins = {"pin": ["r.example/a:*"]}
        self.start(proxy=CACHE, cache=pins)
        upstreams = {"corp": {"remoteurl": "http://x.example", "hosts": ["r.example"]}}
        self.reload(proxy={**CACHE, "upstreams": upstreams}, cache=pins)
        closure = self.room()._candidates._pinned._closure
        self.assertIn("r.example/a", closure._called(RepositoryName("corp/a")))

    def test_reload(self) -> None:
        """Changed limits, pins and what a full disk means are live."""
        self.start(proxy=CACHE, cache={"maxsize": "1MiB"})
        self.assertEqual(self.room()._plan, SpacePlan(1024 * 1024))
        changed = {"minfree": "1%", "onfull": "refuse", "pin": ["a:v1"]}
        report = self.reload(proxy=CACHE, cache=changed)
        self.assertEqual(
            set(report.changed),
            {"cache.maxsize", "cache.minfree", "cache.onfull", "cache.pin"},
        )
        self.assertEqual(self.room()._plan, SpacePlan(0, MinFree(percent=1.0)))
        self.end()

    def test_registry(self) -> None:
        """A registry deletes nothing for room."""
        self.start()
        self.assertRaises(ValueError, self.room)
