"""A memory with a limit."""

from __future__ import annotations

from unittest import TestCase

from hypothesis import given
from hypothesis import strategies as st

from txregistry.flow.lru import Lru


class LruTests(TestCase):
    """What is kept, and what goes."""

    def test_used_longest_ago(self) -> None:
        """What was used longest ago goes first; looking without use is none."""
        kept: Lru[str, int] = Lru(3)
        for value, key in enumerate("abc"):
            kept.put(key, value)
        self.assertEqual((kept.get("a"), kept.peek("b")), (0, 1))
        kept.put("d", 3)
        self.assertEqual([key for key, _ in kept.items()], ["c", "a", "d"])
        self.assertIsNone(kept.get("b"))

    def test_weights(self) -> None:
        """A heavy one takes the place of many; one too heavy is not kept."""
        gone: list[str] = []
        kept: Lru[str, int] = Lru(10, gone.append)
        for key in "abc":
            kept.put(key, 0, 3)
        self.assertTrue(kept.put("d", 0, 7))
        self.assertEqual((gone, kept.weight), (["a", "b"], 10))
        self.assertFalse(kept.put("d", 0, 11))
        self.assertEqual((gone, "d" in kept, len(kept)), (["a", "b", "d"], False, 1))

    def test_no_limit(self) -> None:
        """Zero is no limit."""
        kept: Lru[int, int] = Lru(0)
        for number in range(1000):
            kept.put(number, number, 1000)
        self.assertEqual(len(kept), 1000)

    def test_falsy_values(self) -> None:
        """A value of nothing is a value."""
        kept: Lru[str, int] = Lru(3)
        kept.put("a", 0)
        self.assertEqual((kept.pop("a"), kept.pop("a")), (0, None))

    @given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 6))))
    def test_sum(self, steps: list[tuple[str, int]]) -> None:
        """The weight is that of what is there, and within the limit."""
        weights: dict[str, int] = {}
        kept: Lru[str, int] = Lru(9, weights.pop)
        for key, weight in steps:
            if kept.put(key, weight, weight):
                weights[key] = weight
            self.assertEqual(kept.weight, sum(weights.values()))
            self.assertLessEqual(kept.weight, 9)
            self.assertEqual(dict(kept.items()), weights)
        kept.clear()
        self.assertEqual((kept.weight, weights), (0, {}))
