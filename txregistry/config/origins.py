"""Where the value of a key comes from (pure)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import attrs

from txregistry.config.keypaths import is_within
from txregistry.config.table import find_key, keys


@attrs.frozen
class ValueOrigin:
    """Where a value comes from; all empty for a default.

    :ivar file: the configuration file, with the line.
    :ivar variable: of the environment.
    :ivar named_by: the key that names the file with the value.
    :ivar unread: that file was not looked at.
    """

    file: str = ""
    line: int = 0
    variable: str = ""
    named_by: str = ""
    unread: bool = False

    def __str__(self) -> str:
        """Say it in a few words."""
        place = self.variable or (f"{self.file}:{self.line}" if self.line else "")
        named_by = self.named_by + " (not looked at)" * self.unread
        return f"{named_by}, {place}" if named_by else place or "default"


@attrs.frozen
class Origins:
    """Where the values of a configuration come from.

    :ivar path: of the file; none for the embedded configuration.
    :ivar lines: of the keys in the file.
    :ivar variables: by the paths of the keys that they set.
    :ivar sources: keys that name files, by the keys that have the values.
    :ivar unread: those whose files were not looked at.
    """

    path: str | None = None
    lines: Mapping[str, int] = attrs.field(factory=dict)
    variables: Mapping[str, str] = attrs.field(factory=dict)
    sources: Mapping[str, str] = attrs.field(factory=dict)
    unread: Collection[str] = ()

    def of(self, path: str) -> ValueOrigin:
        """Give the origin of a value; its key may have an older name in the file."""
        for name in (path, *_older(path)):
            found = self._of(name)
            if found != ValueOrigin():
                return found
        return ValueOrigin()

    def _of(self, path: str) -> ValueOrigin:
        named_by = self.sources.get(path)
        if named_by is not None:
            unread = named_by in self.unread
            return attrs.evolve(self._of(named_by), named_by=named_by, unread=unread)
        outer = [origin for origin in self.variables if is_within(path, origin)]
        if outer:
            return ValueOrigin(variable=self.variables[max(outer, key=len)])
        if path in self.lines:
            return ValueOrigin(self.path or "", self.lines[path])
        return ValueOrigin()


def _older(path: str) -> Iterator[str]:
    """Give the paths of the older names of a key."""
    row = find_key(path)
    for other in keys():
        if row is not None and other.known.newer == row.path == path:
            yield other.path
