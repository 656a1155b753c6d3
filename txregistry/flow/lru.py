"""A memory with a limit: what was used longest ago goes first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

import attrs

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@attrs.define(eq=False)
class Lru(Generic[K, V]):
    """Values up to a total weight.

    :ivar limit: of all weights together; 0 for none. One that is heavier alone is not
        kept.
    :param dropped: is told the key of each value that goes, for whatever reason.
    :ivar weight: of all that is kept.
    """

    limit: int
    _dropped: Callable[[K], object] | None = None
    weight: int = 0
    _values: OrderedDict[K, tuple[V, int]] = attrs.field(factory=OrderedDict)

    def get(self, key: K) -> V | None:
        """Give a value, which is then the one that was used last."""
        found = self._values.get(key)
        if found is None:
            return None
        self._values.move_to_end(key)
        return found[0]

    def peek(self, key: K) -> V | None:
        """Give a value, which stays as old as it is."""
        found = self._values.get(key)
        return None if found is None else found[0]

    def put(self, key: K, value: V, weight: int = 1) -> bool:
        """Keep a value in the place of an older one, dropping others for it.

        :return: whether there is room for it at all.
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
        """Give a value and forget it."""
        found = self._values.pop(key, None)
        if found is None:
            return None
        self.weight -= found[1]
        if self._dropped is not None:
            self._dropped(key)
        return found[0]

    def clear(self) -> None:
        """Forget all."""
        for key in list(self._values):
            self.pop(key)

    def items(self) -> Iterator[tuple[K, V]]:
        """Give all, the one that was used longest ago first."""
        return ((key, value) for key, (value, _) in self._values.items())

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def __len__(self) -> int:
        return len(self._values)
