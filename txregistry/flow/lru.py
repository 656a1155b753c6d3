"""A bounded cache that evicts the least recently used value."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

import attrs

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@attrs.define(eq=False)
class Lru(Generic[K, V]):
    """Maps keys to values, up to a total weight.

    :ivar limit: upper limit of the total weight; 0 for none. A value that alone exceeds
        it is not stored.
    :param on_remove: called with the key of each value that is evicted, replaced or
        removed.
    :ivar weight: the current total weight.
    """

    limit: int
    _on_remove: Callable[[K], object] | None = None
    weight: int = 0
    _values: OrderedDict[K, tuple[V, int]] = attrs.field(factory=OrderedDict)

    def get(self, key: K) -> V | None:
        """Return a value, or ``None``, and mark it as most recently used."""
        found = self._values.get(key)
        if found is None:
            return None
        self._values.move_to_end(key)
        return found[0]

    def peek(self, key: K) -> V | None:
        """Return a value, or ``None``, without marking it as used."""
        found = self._values.get(key)
        return None if found is None else found[0]

    def put(self, key: K, value: V, weight: int = 1) -> bool:
        """Store a value, replacing an older one and evicting others as needed.

        :return: whether it was stored; false if it alone exceeds the limit.
        """
        self.pop(key)
        if self.limit and weight > self.limit:
            return False
        self._values[key] = value, weight
        self.weight += weight
        while self.limit and self.weight > self.limit:
            self.pop(next(iter(self._values)))
        return True

    def pop(self, key: K) -> V | None:
        """Remove and return a value; ``None`` if there is none."""
        found = self._values.pop(key, None)
        if found is None:
            return None
        self.weight -= found[1]
        if self._on_remove is not None:
            self._on_remove(key)
        return found[0]

    def clear(self) -> None:
        """Remove all values."""
        for key in list(self._values):
            self.pop(key)

    def items(self) -> Iterator[tuple[K, V]]:
        """Iterate over keys and values, least recently used first."""
        return ((key, value) for key, (value, _) in self._values.items())

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def __len__(self) -> int:
        return len(self._values)
