"""Unit files of systemd with their drop-ins, as far as a takeover looks at them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import attrs

#: Where units lie; what comes first wins.
UNIT_DIRECTORIES = (
    Path("/etc/systemd/system"),
    Path("/run/systemd/system"),
    Path("/usr/local/lib/systemd/system"),
    Path("/lib/systemd/system"),
    Path("/usr/lib/systemd/system"),
)

_CONTINUED = re.compile(r"\\\n(?:[ \t]*[#;][^\n]*\n)*")


@attrs.frozen
class UnitFile:
    """What a unit says, its drop-ins included.

    :ivar paths: of the unit and its drop-ins, in the order in which they count.
    :ivar values: section, key and value of each line that counts.
    """

    paths: tuple[Path, ...]
    values: tuple[tuple[str, str, str], ...]

    def all(self, key: str, section: str = "Service") -> list[str]:
        """Give all values of a key that were not taken back by an empty one."""
        found: list[str] = []
        for place, name, value in self.values:
            if (place, name) == (section, key):
                found = [*found, value] if value else []
        return found

    def last(self, key: str, default: str = "") -> str:
        """Give the value of a key of the service that counts."""
        return (self.all(key) or [default])[-1]

    def keys(self) -> set[str]:
        """Give the keys of the service that have a value."""
        names = {name for place, name, _ in self.values if place == "Service"}
        return {name for name in names if self.all(name)}


def parse_unit(text: str) -> Iterator[tuple[str, str, str]]:
    """Read the lines of a unit: section, key, value."""
    section = ""
    for line in map(str.strip, _CONTINUED.sub(" ", text).splitlines()):
        if line.startswith("["):
            section = line.strip("[]")
        elif line and line[0] not in "#;" and "=" in line:
            key, _, value = line.partition("=")
            yield section, key.strip(), value.strip()


def find_unit(
    name: str, directories: Sequence[Path] = UNIT_DIRECTORIES
) -> UnitFile | None:
    """Read a unit and its drop-ins, if there is one.

    :raise OSError: a file of it cannot be read.
    """
    found = next((p for d in directories if (p := d / name).is_file()), None)
    if found is None:
        return None
    paths = (found, *_drop_ins(name, directories))
    values = [line for path in paths for line in parse_unit(_text(path))]
    return UnitFile(paths, tuple(values))


def _drop_ins(name: str, directories: Iterable[Path]) -> list[Path]:
    """Give drop-ins in the order of their names; the first directory wins."""
    places: dict[str, Path] = {}
    for directory in directories:
        for path in (directory / f"{name}.d").glob("*.conf"):
            places.setdefault(path.name, path)
    return [places[name] for name in sorted(places)]


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")
