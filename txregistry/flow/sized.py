"""A cache with a limit in bytes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import attrs

from txregistry.flow.lru import Lru

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

#: Bytes added to each value's size, roughly: its entry in the table and the key.
OVERHEAD_BYTES = 500


@attrs.define(eq=False)
class SizedCache(Generic[K, V]):
    """Maps keys to values up to a total size; the oldest value is evicted first.

    :param max_bytes: upper limit of the total size; a value that alone exceeds it is
        not stored.
    """

    max_bytes: int
    _values: Lru[K, V] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._values = Lru(self.max_bytes)

    @property
    def used_bytes(self) -> int:
        """The total size in bytes."""
        return self._values.weight

    def get(self, key: K) -> V | None:
        """Return a value, or ``None``; its age for eviction stays the same."""
        return self._values.peek(key)

    def put(self, key: K, value: V, size: int) -> None:
        """Store a value, replacing an older one and evicting others as needed.

        :param size: of the value, in bytes; see :func:`size_of`.
        """
        self._values.put(key, value, size + OVERHEAD_BYTES)

    def pop(self, key: K) -> V | None:
        """Remove and return a value; ``None`` if there is none."""
        return self._values.pop(key)

    def pop_where(self, is_meant: Callable[[K], bool]) -> None:
        """Remove the values of some keys; looks at all of them."""
        for key in [key for key, _ in self._values.items() if is_meant(key)]:
            self.pop(key)

    def clear(self) -> None:
        """Remove all values."""
        self._values.clear()

    def __len__(self) -> int:
        return len(self._values)


def size_of(*texts: str | None) -> int:
    """Return the bytes that some strings take in memory."""
    return sum(map(sys.getsizeof, texts))
