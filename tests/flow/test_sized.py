"""A memory with a budget in bytes."""

from __future__ import annotations

import sys

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow.sized import OVERHEAD_BYTES, SizedCache, size_of
from txregistry.interfaces.referrers import Referrer
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest

DESCRIPTOR = Descriptor(Digest.of(b"x"), 1)


class SizedTests(SynchronousTestCase):
    """Values up to a total of bytes."""

    def test_the_oldest_goes(self) -> None:
        """What was kept longest ago goes first; what is renewed is young."""
        cache: SizedCache[str, int] = SizedCache(3 * (OVERHEAD_BYTES + 100))
        for key in "abca":
            cache.put(key, 1, 100)
        cache.put("d", 2, 100)
        self.assertEqual([cache.get(key) for key in "abcd"], [1, None, 1, 2])
        self.assertEqual(cache.used_bytes, 3 * (OVERHEAD_BYTES + 100))

    def test_longer_than_all(self) -> None:
        """What has no room alone is not kept, nor what it would have replaced."""
        cache: SizedCache[str, int] = SizedCache(1000)
        cache.put("a", 1, 100)
        cache.put("a", 2, 1000)
        self.assertEqual((cache.get("a"), cache.used_bytes, len(cache)), (None, 0, 0))

    def test_some_go(self) -> None:
        """Those of some keys go, and no others."""
        cache: SizedCache[str, int] = SizedCache(10_000)
        for key in "abc":
            cache.put(key, 1, 100)
        cache.pop_where(lambda key: key in "ac")
        self.assertEqual([cache.get(key) for key in "abc"], [None, 1, None])
        self.assertEqual(cache.used_bytes, OVERHEAD_BYTES + 100)

    @given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 4000))))
    def test_budget(self, kept: list[tuple[str, int]]) -> None:
        """Whatever is kept and forgotten, the sum is right and within the budget."""
        cache: SizedCache[str, int] = SizedCache(5000)
        for key, size in kept:
            if size % 7:
                cache.put(key, size, size)
            else:
                cache.pop(key)
            left = [found for key in "abcdef" if (found := cache.get(key)) is not None]
            self.assertEqual(sum(left) + OVERHEAD_BYTES * len(left), cache.used_bytes)
            self.assertLessEqual(cache.used_bytes, 5000)
        cache.clear()
        self.assertEqual((cache.used_bytes, len(cache)), (0, 0))

    def test_size_of_texts(self) -> None:
        """A text counts as it lies in memory: four bytes for a character, perhaps."""
        self.assertEqual(size_of(None), sys.getsizeof(None))
        self.assertGreater(size_of("\U0001f600" * 1000), 4000)
        noted = Referrer(DESCRIPTOR, "x/y", {"a": "\U0001f600" * 1000})
        self.assertGreater(noted.memory_bytes, 4000 + Referrer(DESCRIPTOR).memory_bytes)
