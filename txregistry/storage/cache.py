"""A bounded memory of what repositories hold, least recently used first out."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

import attrs

from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName

V = TypeVar("V")


@attrs.define(eq=False)
class RepositoryCache(Generic[V]):
    """Values by repository and digest, up to a total weight.

    What is known is known per repository: the cache never grants what the link
    files of that repository did not.

    :param max_weight: 0 sets no limit.
    :param weigh: gives the weight of a value.
    """

    _max_weight: int
    _weigh: Callable[[V], int] = attrs.field(default=lambda _: 1)
    _values: OrderedDict[tuple[RepositoryName, Digest], V] = attrs.field(
        factory=OrderedDict
    )
    _weight: int = 0

    def find(self, name: RepositoryName, digest: Digest) -> V | None:
        """Look one up, which makes it the most recently used."""
        found = self._values.get((name, digest))
        if found is not None:
            self._values.move_to_end((name, digest))
        return found

    def remember(self, name: RepositoryName, digest: Digest, value: V) -> None:
        """Keep one, dropping the least recently used until there is room."""
        self.drop(name, digest)
        self._values[name, digest] = value
        self._weight += self._weigh(value)
        while self._max_weight and self._weight > self._max_weight:
            _, dropped = self._values.popitem(last=False)
            self._weight -= self._weigh(dropped)

    def drop(self, name: RepositoryName, digest: Digest) -> None:
        """Forget one."""
        dropped = self._values.pop((name, digest), None)
        if dropped is not None:
            self._weight -= self._weigh(dropped)

    def drop_everywhere(self, digest: Digest) -> None:
        """Forget a digest in all repositories, as before its content is deleted."""
        for name, known in [key for key in self._values if key[1] == digest]:
            self.drop(name, known)

    def __len__(self) -> int:
        return len(self._values)
