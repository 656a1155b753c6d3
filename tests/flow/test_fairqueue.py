"""A queue in which owners take turns."""

from __future__ import annotations

from unittest import TestCase

from txregistry.flow.fairqueue import FairQueue, NestedQueue


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
