"""A bounded LRU cache of what repositories hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import attrs

from txregistry.flow.lru import Lru
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName

V = TypeVar("V")


@attrs.define(eq=False)
class RepositoryCache(Generic[V]):
    """Values by repository and digest, up to a total weight.

    Entries are per repository: the cache never grants what the link files of that
    repository did not.

    :param max_weight: 0 sets no limit; a single value above it is not kept.
    :param weigh: gives the weight of a value.
    """

    _max_weight: int
    _weigh: Callable[[V], int] = attrs.field(default=lambda _: 1)
    _values: Lru[tuple[RepositoryName, Digest], V] = attrs.field(init=False)
    _holders: dict[Digest, tuple[RepositoryName, ...]] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self._values = Lru(self._max_weight, self._dropped)

    def find(self, name: RepositoryName, digest: Digest) -> V | None:
        """Look a value up and make it the most recently used."""
        return self._values.get((name, digest))

    def remember(self, name: RepositoryName, digest: Digest, value: V) -> None:
        """Keep a value; drop the least recently used ones until there is room."""
        self._values.pop((name, digest))
        # Before storing, as the value may be dropped at once.
        self._holders[digest] = (*self._holders.get(digest, ()), name)
        if not self._values.put((name, digest), value, self._weigh(value)):
            self._dropped((name, digest))

    def drop(self, name: RepositoryName, digest: Digest) -> None:
        """Forget one."""
        self._values.pop((name, digest))

    def drop_everywhere(self, digest: Digest) -> None:
        """Forget a digest in all repositories, as before its content is deleted."""
        for name in self._holders.get(digest, ()):
            self.drop(name, digest)

    def __len__(self) -> int:
        return len(self._values)

    def _dropped(self, key: tuple[RepositoryName, Digest]) -> None:
        name, digest = key
        left = tuple(one for one in self._holders[digest] if one != name)
        if left:
            self._holders[digest] = left
        else:
            del self._holders[digest]
