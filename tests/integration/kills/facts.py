"""Facts about a registry, each with all the values that it may have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

#: A repository, and a digest or a tag in it.
Key = tuple[str, str]


class Facts:
    """What may be found under each key.

    A request that is sent widens the values by what it asks for; its answer narrows
    them to that. Without an answer both are possible, until somebody looks.
    """

    def __init__(self, absent: Any) -> None:
        self._absent = absent
        self._known: dict[Key, frozenset[Any]] = {}

    def of(self, key: Key) -> frozenset[Any]:
        return self._known.get(key, frozenset((self._absent,)))

    def is_certainly(self, key: Key, value: Any) -> bool:
        return self.of(key) == {value}

    def certain(self, key: Key) -> Any:
        """Give the only value that is possible; nothing, if there are several."""
        values = self.of(key)
        return next(iter(values)) if len(values) == 1 else None

    def may_be_there(self, key: Key) -> bool:
        return self.of(key) != {self._absent}

    def widen(self, key: Key, value: Any) -> None:
        self._known[key] = self.of(key) | {value}

    def set(self, key: Key, values: frozenset[Any]) -> None:
        self._known[key] = values

    def narrow(self, key: Key, value: Any) -> None:
        self._known[key] = frozenset((value,))

    def drop(self, key: Key) -> None:
        self._known.pop(key, None)

    def known(self) -> Iterator[tuple[Key, frozenset[Any]]]:
        yield from list(self._known.items())
