"""The table of every key: made of the declarations that the reader reads by.

What is printed about keys (``txregistry config``, the manual page, the JSON schema,
``docs/configuration.md``) comes from here.
"""

from __future__ import annotations

import re
import types
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

import attrs

from txregistry.config.access import CONTROLLER_DOCS, CONTROLLERS, Auth
from txregistry.config.declare import LIVE, Declared, declared
from txregistry.config.fields import (
    TWIN,
    Duration,
    Size,
    format_size,
    spoken_duration,
)
from txregistry.config.middleware import SHIPPED, StorageItem
from txregistry.config.model import Config
from txregistry.config.storage import DRIVER_DOCS, DRIVERS, Storage, is_driver

#: The default of a key that has to be given.
REQUIRED = "required"

SECTION = "section"
SECTIONS = "list of sections"
ANYTHING = "anything"

_KINDS: Mapping[Any, str] = {
    str: "text",
    bool: "true or false",
    int: "whole number",
    Duration: "duration",
    Size: "size",
    object: ANYTHING,
}


@attrs.frozen
class Key:
    """A row of the table.

    :ivar path: from the outside in; ``[]`` stands for each item of a list.
    :ivar kind: the shape of its value, in words.
    :ivar default: as it would stand in the file, or :data:`REQUIRED`.
    :ivar restart: why a change takes effect at a restart only; empty if it does by a
        reload.
    :ivar twin_of: the path of the key whose value is in the file that this one names.
    """

    path: str
    kind: str
    default: object
    known: Declared
    restart: str = ""
    twin_of: str = ""

    @property
    def is_section(self) -> bool:
        """Whether it holds other keys of the table."""
        return self.kind in (SECTION, SECTIONS)

    @property
    def doc(self) -> str:
        """Give its description; of an older name, that of what it is now."""
        newer = f"Older name of {self.known.newer}." if self.known.newer else ""
        return f"{newer} {self.known.doc}".strip()

    @property
    def variable(self) -> str:
        """Give the environment variable that overrides it; N stands for a position."""
        return "REGISTRY_" + _segments(self.path).upper().replace("[]", "N")


def _segments(path: str) -> str:
    return path.replace("[]", ".[]").replace(".", "_")


@cache
def keys() -> tuple[Key, ...]:
    """Give every key and every section, in the order of the model."""
    return tuple(_of_section(Config, "", ""))


def _of_section(cls: type[Any], path: str, restart: str) -> Iterator[Key]:
    hints = get_type_hints(cls)
    for field in attrs.fields(cls):
        if cls is Storage and is_driver(field.name):
            continue
        inner = f"{path}.{field.name}" if path else field.name
        yield from _of_key(field, hints[field.name], inner, restart)
    if cls is StorageItem:
        yield from _of_options(f"{path}.options", restart)


def _of_options(path: str, restart: str) -> Iterator[Key]:
    """Give the options of our own middleware; some have the same ones."""
    told = set()
    for cls in SHIPPED.values():
        for row in _of_section(cls, path, restart):
            if row.path not in told:
                yield row
            told.add(row.path)


def _of_key(
    field: attrs.Attribute[Any], hint: Any, path: str, restart: str
) -> Iterator[Key]:
    known = declared(field)
    restart = "" if known.restart == LIVE else known.restart or restart
    row = Key(path, kind_of_hint(hint), default_of(field, hint), known, restart)
    yield row
    below = get_args(hint)[0] if row.kind == SECTIONS else hint
    if hint is Storage:
        yield from _of_offered(path, DRIVERS, DRIVER_DOCS, restart)
    if hint is Auth:
        yield from _of_offered(path, CONTROLLERS, CONTROLLER_DOCS, restart)
    elif row.is_section:
        yield from _of_section(below, path + "[]" * (below is not hint), restart)
    if known.in_file:
        yield _twin(row)


def _of_offered(
    path: str, offered: Mapping[str, type[Any]], docs: Mapping[str, str], restart: str
) -> Iterator[Key]:
    for name, cls in offered.items():
        inner = f"{path}.{name}"
        yield Key(inner, SECTION, None, Declared(docs[name], "2.0"), restart)
        yield from _of_section(cls, inner, restart)


def _twin(row: Key) -> Key:
    if row.kind == _KINDS[str]:
        what, kind = f"File that contains {row.path}", row.kind
    else:
        what, kind = f"Files that contain {row.path}, by name", "mapping to texts"
    doc = f"{what}, except for one newline at the end."
    return Key(
        row.path + TWIN,
        kind,
        "" if kind == row.kind else {},
        Declared(doc, unset="none", is_path=True),
        row.restart,
        row.path,
    )


def kind_of_hint(hint: Any) -> str:
    """Give the words for a type of the model."""
    hint = without_none(hint)
    if attrs.has(hint):
        return SECTION
    origin = get_origin(hint)
    if origin is tuple:
        inner = kind_of_hint(get_args(hint)[0])
        return SECTIONS if inner == SECTION else f"list of {inner}s"
    if origin is not None:
        inner = f"{kind_of_hint(get_args(hint)[1])}s"
        return "mapping to " + re.sub(r"^list (.*)s$", r"lists \1", inner)
    return _KINDS[hint]


def without_none(hint: Any) -> Any:
    """Give the other type of a union with none."""
    if get_origin(hint) in (Union, types.UnionType):
        return next(arg for arg in get_args(hint) if arg is not type(None))
    return hint


def default_of(field: attrs.Attribute[Any], hint: Any) -> object:
    """Give a default as it would stand in the file; of a section, none."""
    if attrs.has(hint):
        return None
    if field.default is attrs.NOTHING:
        return REQUIRED
    value: Any = field.default
    if isinstance(value, attrs.Factory):  # type: ignore[arg-type]
        value = value.factory()
    if without_none(hint) is Duration and value is not None:
        return spoken_duration(value)
    if hint is Size:
        return format_size(value)
    return list(value) if isinstance(value, tuple) else value


def find_key(name: str) -> Key | None:
    """Find a key by its path, with or without positions, or by its variable.

    What a mapping holds, such as one header, is found as the mapping; a key of one of
    its sections as that of the section they are like.
    """
    wanted, rows = _like(_plain(name)), _by_segments()
    while wanted:
        if wanted in rows:
            return rows[wanted]
        wanted = wanted.rpartition("_")[0]
        if wanted in rows and not rows[wanted].kind.startswith(("mapping", ANYTHING)):
            return None
    return None


def _like(name: str) -> str:
    """Give the key that one of a mapping's sections is described by."""
    for row in keys():
        start = f"{_segments(row.path)}_"
        if not row.known.like or not name.startswith(start):
            continue
        # The key of the section may hold whatever separates names.
        for end in sorted(_by_segments(), key=len, reverse=True):
            outer = f"{_segments(row.known.like)}_"
            if end.startswith(outer) and name.endswith(f"_{end.removeprefix(outer)}"):
                return end
    return name


@cache
def _by_segments() -> Mapping[str, Key]:
    return {_segments(row.path): row for row in keys()}


def _plain(name: str) -> str:
    """Write a path, or the name of a variable, with underscores and without numbers."""
    name = re.sub(r"\[(\d*)\]", r".\1", name.strip()).removeprefix("REGISTRY_").lower()
    parts = name.removesuffix("_file").replace("_", ".").split(".")
    return "_".join("[]" if not part or part.isdecimal() else part for part in parts)


def restart_of(path: str) -> str:
    """Give why a change of a key needs a restart; empty if a reload is enough.

    :param path: for a parameter that no model declares its section decides.
    """
    while path:
        row = find_key(path)
        if row is not None:
            return row.restart
        path = path.rpartition(".")[0]
    return ""


def near(name: str, count: int = 5) -> list[str]:
    """Give paths that may have been meant, the likeliest first."""
    paths = [row.path for row in keys()]
    wanted = name.lower().removeprefix("registry_").replace("_", ".")
    last = wanted.rpartition(".")[2]
    ends = [path for path in paths if path.rpartition(".")[2] == last]
    leaves = [row.path for row in keys() if not row.is_section]
    likely = [path for path in leaves if wanted.startswith(f"{path}.")]
    likely += get_close_matches(wanted, paths, count, 0.7)
    words = {path.rpartition(".")[2] for path in paths}
    for word in get_close_matches(last, sorted(words), 2, 0.75):
        ends += [path for path in paths if path.rpartition(".")[2] == word]
    return list(dict.fromkeys(likely + ends))[:count]
