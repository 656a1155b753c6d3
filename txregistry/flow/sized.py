"""A memory with a budget in bytes."""

from __future__ import annotations

import sys
from collections.abc import Hashable
from typing import Generic, TypeVar

import attrs

from txregistry.flow.lru import Lru

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

#: What a value takes beside what is counted for it, about: its place in a table, and
#: an object or two.
OVERHEAD_BYTES = 500


@attrs.define(eq=False)
class SizedCache(Generic[K, V]):
    """Values up to a total of bytes; the one that was kept longest ago goes first.

    :param max_bytes: of all together; a value that is longer alone is not kept.
    """

    max_bytes: int
    _values: Lru[K, V] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._values = Lru(self.max_bytes)

    @property
    def used_bytes(self) -> int:
        """Count the bytes of all together."""
        return self._values.weight

    def find(self, key: K) -> V | None:
        """Give a value that is kept."""
        return self._values.peek(key)

    def keep(self, key: K, value: V, size: int) -> None:
        """Keep a value in the place of an older one, and others if there is room.

        :param size: of the value, in bytes; see :func:`size_of`.
        """
        self._values.put(key, value, size + OVERHEAD_BYTES)

    def forget(self, key: K) -> None:
        """Forget a value, if there is one."""
        self._values.pop(key)

    def clear(self) -> None:
        """Forget all."""
        self._values.clear()

    def __len__(self) -> int:
        return len(self._values)


def size_of(*texts: str | None) -> int:
    """Give the bytes that some texts take in memory."""
    return sum(map(sys.getsizeof, texts))
