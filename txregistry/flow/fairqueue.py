"""A fair queue: owners take turns, however many items each has."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import attrs

from txregistry.flow.demand import Demand

K = TypeVar("K", bound=Hashable)


@attrs.define(eq=False)
class FairQueue(Generic[K]):
    """Distinct items of several owners, in round-robin order of the owners.

    The next item is the oldest one of the owner whose last turn was longest ago.
    """

    _owners: OrderedDict[str, OrderedDict[K, None]] = attrs.field(factory=OrderedDict)
    _owner_of: dict[K, str] = attrs.field(factory=dict)

    def __len__(self) -> int:
        return len(self._owner_of)

    def __contains__(self, item: object) -> bool:
        return item in self._owner_of

    def add(self, owner: str, item: K, first: bool = False) -> None:
        """Add an item.

        :param first: the item continues interrupted work and becomes the next of all.
        """
        self._owner_of[item] = owner
        items = self._owners.setdefault(owner, OrderedDict())
        items[item] = None
        if first:
            items.move_to_end(item, last=False)
            self._owners.move_to_end(owner, last=False)

    def pop(self) -> K:
        """Remove and return the next item; the queue must not be empty."""
        owner, items = next(iter(self._owners.items()))
        item = next(iter(items))
        self.remove(item)
        if items:
            self._owners.move_to_end(owner)
        return item

    def remove(self, item: K) -> None:
        """Remove an item; it must be in the queue."""
        owner = self._owner_of.pop(item)
        items = self._owners[owner]
        del items[item]
        if not items:
            del self._owners[owner]


@attrs.define(eq=False)
class NestedQueue(Generic[K]):
    """Distinct items of several owners, each of whom has them in groups.

    Owners take turns, and in the turns of one owner its groups do.
    """

    _owners: OrderedDict[str, FairQueue[K]] = attrs.field(factory=OrderedDict)
    _owner_of: dict[K, str] = attrs.field(factory=dict)

    def __len__(self) -> int:
        return len(self._owner_of)

    def __contains__(self, item: object) -> bool:
        return item in self._owner_of

    def add(self, owner: str, group: str, item: K) -> None:
        """Add an item."""
        self._owner_of[item] = owner
        self._owners.setdefault(owner, FairQueue()).add(group, item)

    def pop(self) -> K:
        """Remove and return the next item; the queue must not be empty."""
        owner, items = next(iter(self._owners.items()))
        item = items.pop()
        self._owners.move_to_end(owner)
        self._forget(owner, item)
        return item

    def remove(self, item: K) -> None:
        """Remove an item; it must be in the queue."""
        owner = self._owner_of[item]
        self._owners[owner].remove(item)
        self._forget(owner, item)

    def _forget(self, owner: str, item: K) -> None:
        del self._owner_of[item]
        if not self._owners[owner]:
            del self._owners[owner]


@attrs.define(eq=False)
class DemandQueue(Generic[K]):
    """A fair queue of work, in which what somebody waits for comes first.

    An item for which somebody begins to wait joins those.
    """

    _awaited: FairQueue[K] = attrs.field(factory=FairQueue)
    _others: FairQueue[K] = attrs.field(factory=FairQueue)
    _unwatch: dict[K, Callable[[], None]] = attrs.field(factory=dict)

    def __len__(self) -> int:
        return len(self._awaited) + len(self._others)

    @property
    def is_awaited(self) -> bool:
        """Whether somebody waits for the next item."""
        return bool(self._awaited)

    def add(self, owner: str, item: K, demand: Demand, first: bool = False) -> None:
        """Add an item; see :meth:`FairQueue.add`.

        :param demand: whether somebody waits for it.
        """
        if demand.is_awaited:
            self._awaited.add(owner, item, first)
            return

        def rise() -> None:
            self.remove(item)
            self._awaited.add(owner, item, first)

        self._others.add(owner, item, first)
        self._unwatch[item] = demand.watch(rise)

    def pop(self) -> K:
        """Remove and return the next item; the queue must not be empty."""
        if self._awaited:
            return self._awaited.pop()
        item = self._others.pop()
        self._unwatch.pop(item)()
        return item

    def remove(self, item: K) -> None:
        """Remove an item; it must be in the queue."""
        if item in self._awaited:
            self._awaited.remove(item)
        else:
            self._others.remove(item)
            self._unwatch.pop(item)()
