"""What has a name in the configuration, and is imported when that is named.

Note [Named, then imported]. A name of ours leads to a module by a table, and the
packages of others are looked through only for a name that is not ours: to find an entry
point the metadata of each installed package is read, and every command and start would
wait for that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pkgutil import resolve_name
from typing import Any

import attrs


@attrs.frozen
class Offered:
    """Makers by name: ours, and those of other packages.

    :ivar group: the group of entry points of other packages.
    :ivar ours: by name, as ``module:function``; these names are taken.
    """

    group: str
    ours: Mapping[str, str]

    def __contains__(self, name: object) -> bool:
        return name in self.ours or name in self._others()

    def __iter__(self) -> Iterator[str]:
        return iter([*self.ours, *(self._others().keys() - self.ours.keys())])

    def __len__(self) -> int:
        return len(list(iter(self)))

    @property
    def others(self) -> frozenset[str]:
        """Give the names that only other packages offer; reads all their metadata."""
        return frozenset(self._others()) - self.ours.keys()

    def load(self, name: str) -> Any:
        """Import what has a name.

        :raise LookupError: nobody offers it.
        """
        if name in self.ours:
            return resolve_name(self.ours[name])
        return self._others()[name].load()

    def _others(self) -> dict[str, Any]:
        # Costs a start more than all of the table does, and is seldom needed.
        from importlib.metadata import entry_points

        return {point.name: point for point in entry_points(group=self.group)}
