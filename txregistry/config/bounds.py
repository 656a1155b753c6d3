"""Values that a declaration excludes: none of its choices, or below its minimum."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from txregistry.config.declare import Declared, declared


def out_of_bounds(section: Any, path: str = "") -> Iterator[str]:
    """Find such values in a section and in all below it; give a problem for each."""
    for field in attrs.fields(type(section)):
        value, name = getattr(section, field.name), f"{path}{field.name}"
        if attrs.has(type(value)):
            yield from out_of_bounds(value, f"{name}.")
        else:
            yield from problems_of(declared(field), value, name)
        for inner, item in _items(value):
            if attrs.has(type(item)):
                yield from out_of_bounds(item, f"{name}{inner}.")


def _items(value: object) -> Iterator[tuple[str, Any]]:
    """Give what a list or a mapping holds, with the rest of its path."""
    if isinstance(value, tuple):
        yield from ((f"[{index}]", item) for index, item in enumerate(value))
    if isinstance(value, Mapping):
        yield from ((f".{name}", item) for name, item in value.items())


def problems_of(known: Declared, value: object, path: str) -> Iterator[str]:
    """Give the problem of one value, if it has one."""
    if isinstance(value, str) and known.choices and value not in known.choices:
        expected = " or ".join(choice for choice in known.choices if choice)
        yield f"{path}: expected {expected}, found {value!r}"
    if isinstance(value, int) and known.minimum is not None and value < known.minimum:
        yield f"{path}: expected {known.minimum} or more"
