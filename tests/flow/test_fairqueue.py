"""A queue in which owners take turns."""

from __future__ import annotations

from unittest import TestCase

from txregistry.flow.demand import SOMEBODY, Demand
from txregistry.flow.fairqueue import DemandQueue, FairQueue, NestedQueue


class FairQueueTests(TestCase):
    """Who is next."""

    def setUp(self) -> None:
        self.queue: FairQueue[str] = FairQueue()

    def add(self, *items: str) -> None:
        for item in items:
            self.queue.add(item[0], item)

    def pop_all(self) -> list[str]:
        return [self.queue.pop() for _ in range(len(self.queue))]

    def test_turns(self) -> None:
        """Owners take turns, each in order."""
        self.add("a1", "a2", "a3", "b1", "b2", "c1")
        self.assertEqual(self.pop_all(), ["a1", "b1", "c1", "a2", "b2", "a3"])

    def test_remembered(self) -> None:
        """Who had a turn comes after all who wait already."""
        self.add("a1", "a2", "b1")
        self.assertEqual(self.queue.pop(), "a1")
        self.add("a3", "c1")
        self.assertEqual(self.pop_all(), ["b1", "a2", "c1", "a3"])

    def test_first(self) -> None:
        """What goes on is the next of all."""
        self.add("a1", "b1", "b2")
        self.queue.add("b", "b0", first=True)
        self.assertEqual(self.pop_all(), ["b0", "a1", "b1", "b2"])

    def test_remove(self) -> None:
        """What was removed leaves no turn."""
        self.add("a1", "b1", "b2")
        self.queue.remove("a1")
        self.queue.remove("b1")
        self.assertEqual(("b1" in self.queue, "b2" in self.queue), (False, True))
        self.assertEqual(self.pop_all(), ["b2"])
        self.assertEqual(self.queue._owners, {})


class NestedQueueTests(TestCase):
    """Whose group is next."""

    def setUp(self) -> None:
        self.queue: NestedQueue[str] = NestedQueue()

    def add(self, *items: str) -> None:
        for item in items:
            self.queue.add(item[0], item[1], item)

    def pop_all(self) -> list[str]:
        return [self.queue.pop() for _ in range(len(self.queue))]

    def test_turns(self) -> None:
        """Owners take turns, and their groups in them."""
        self.add("ax1", "ax2", "ax3", "ay1", "bx1", "ay2")
        self.assertEqual(self.pop_all(), ["ax1", "bx1", "ay1", "ax2", "ay2", "ax3"])

    def test_remembered(self) -> None:
        """Who had a turn comes after all who wait already."""
        self.add("ax1", "ax2", "bx1")
        self.assertEqual(self.queue.pop(), "ax1")
        self.add("ax3", "cx1")
        self.assertEqual(self.pop_all(), ["bx1", "ax2", "cx1", "ax3"])

    def test_remove(self) -> None:
        """What was removed leaves no turn."""
        self.add("ax1", "bx1", "by1")
        self.queue.remove("ax1")
        self.queue.remove("bx1")
        self.assertEqual(("bx1" in self.queue, "by1" in self.queue), (False, True))
        self.assertEqual(self.pop_all(), ["by1"])
        self.assertEqual((self.queue._owners, len(self.queue)), ({}, 0))


class DemandQueueTests(TestCase):
    """What somebody waits for comes first."""

    def setUp(self) -> None:
        self.queue: DemandQueue[str] = DemandQueue()
        self.demand = Demand()

    def pop_all(self) -> list[str]:
        return [self.queue.pop() for _ in range(len(self.queue))]

    def test_order(self) -> None:
        """Owners take turns among those, and then among the others."""
        for item in ("a1", "a2", "b1"):
            self.queue.add(item[0], item, self.demand)
        self.assertFalse(self.queue.is_awaited)
        for item in ("c1", "c2", "d1"):
            self.queue.add(item[0], item, SOMEBODY)
        self.queue.add("b", "b0", self.demand, first=True)
        self.assertTrue(self.queue.is_awaited)
        found = ["c1", "d1", "c2", "b0", "a1", "b1", "a2"]
        self.assertEqual(self.pop_all(), found)
        self.assertEqual(self.demand._watchers, {})

    def test_rises(self) -> None:
        """An item for which somebody begins to wait is among the first."""
        self.queue.add("", "other", Demand())
        self.queue.add("", "wanted", self.demand)
        self.demand.join()
        self.assertTrue(self.queue.is_awaited)
        self.demand.join()
        self.assertEqual(self.pop_all(), ["wanted", "other"])
        self.assertEqual(self.demand._watchers, {})

    def test_remove(self) -> None:
        """What was removed leaves no watcher, risen or not."""
        other = Demand()
        self.queue.add("", "a", self.demand)
        self.queue.add("", "b", other)
        self.demand.join()
        for item in ("a", "b"):
            self.queue.remove(item)
        self.assertEqual(len(self.queue), 0)
        self.assertEqual((other._watchers, self.demand._watchers), ({}, {}))
