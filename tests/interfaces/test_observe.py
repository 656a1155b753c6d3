"""Counts that are made again."""

from __future__ import annotations

from contextvars import copy_context

from twisted.trial.unittest import SynchronousTestCase

from txregistry.interfaces.observe import counted, remember_count


class RememberTests(SynchronousTestCase):
    """What a meter counted for an answer."""

    def test_remembered(self) -> None:
        """It can be counted again, and that is not remembered."""
        counts: list[int] = []

        def count(amount: int) -> None:
            counts.append(amount)
            remember_count(count, amount)

        count(1)  # for no answer
        remembered = copy_context().run(self.counting, count)
        self.assertEqual(counts, [1, 2, 3])
        for again in remembered:
            again()
        self.assertEqual(counts, [1, 2, 3, 2, 3])
        self.assertEqual(len(remembered), 2)

    def counting(self, count):
        found = []
        counted.set(found)
        for amount in (2, 3):
            count(amount)
        return found
