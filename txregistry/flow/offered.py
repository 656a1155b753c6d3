"""What has a name in the configuration, and is imported when that is named.

Note [Named, then imported]. A name of ours leads to a module by a table, and the
packages of others are looked through only for a name that is not ours: to find an entry
point the metadata of each installed package is read, and every command would wait for
that. A start, and a check of a configuration, look whether a package offers a name of
ours in vain.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
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

    def rivals(self, name: str) -> list[str]:
        """Give the packages that offer a name of ours, which they do not get.

        Reads the metadata of all packages, as ``others`` does.
        """
        if name not in self.ours:
            return []
        packages = {_package(point) for point in self._points() if point.name == name}
        return sorted(packages - {"txregistry"})  # an installation of earlier times

    def load(self, name: str) -> Any:
        """Import what has a name.

        :raise LookupError: nobody offers it.
        """
        if name in self.ours:
            return resolve_name(self.ours[name])
        return self._others()[name].load()

    def _others(self) -> dict[str, Any]:
        return {point.name: point for point in self._points()}

    def _points(self) -> Iterable[Any]:
        # A sixth of a short command: see docs/decisions.
        from importlib.metadata import entry_points

        return entry_points(group=self.group)


def _package(point: Any) -> str:
    """Name the package of an entry point; a value in code if it has none."""
    return str(point.dist.name if point.dist else point.value)
