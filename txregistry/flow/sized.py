"""A memory with a budget in bytes."""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

import attrs

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
    _values: OrderedDict[K, tuple[V, int]] = attrs.field(factory=OrderedDict)
    used_bytes: int = 0

    def find(self, key: K) -> V | None:
        """Give a value that is kept."""
        found = self._values.get(key)
        return None if found is None else found[0]

    def keep(self, key: K, value: V, size: int) -> None:
        """Keep a value in the place of an older one, and others if there is room.

        :param size: of the value, in bytes; see :func:`size_of`.
        """
        self.forget(key)
        size += OVERHEAD_BYTES
        if size > self.max_bytes:
            return
        self._values[key] = value, size
        self.used_bytes += size
        while self.used_bytes > self.max_bytes:
            self.forget(next(iter(self._values)))

    def forget(self, key: K) -> None:
        """Forget a value, if there is one."""
        _, size = self._values.pop(key, (None, 0))
        self.used_bytes -= size

    def clear(self) -> None:
        """Forget all."""
        self._values.clear()
        self.used_bytes = 0

    def __len__(self) -> int:
        return len(self._values)


def size_of(*texts: str | None) -> int:
    """Give the bytes that some texts take in memory."""
    return sum(map(sys.getsizeof, texts))
