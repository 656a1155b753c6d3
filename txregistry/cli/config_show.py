"""``txregistry config show``: what is in force, and where each value comes from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import attrs
import click
import yaml

from txregistry.cli.places import config_argument, name_of, place_of, usable
from txregistry.config.declare import Declared
from txregistry.config.model import Config
from txregistry.config.origins import Origins, ValueOrigin
from txregistry.config.show import effective
from txregistry.config.storage import DRIVERS
from txregistry.config.table import find_key

#: Wide enough that no value is broken into lines.
_WIDTH = 1_000_000


@click.command()
@config_argument
@click.option("--json", "form", flag_value="json", help="Show it in JSON.")
@click.option("--yaml", "form", flag_value="yaml", default=True, help="In YAML.")
def show(file: str | None, form: str) -> None:
    """Show what is in force, and where each value comes from.

    Secrets are masked. Each value has its origin: the line of the file, the variable of
    the environment, the key that names the file with it, or that it is the default.
    """
    path = place_of(file)
    found = usable(path, form == "json")
    values = in_force(found.config)
    if form == "json":
        click.echo(json.dumps(_report(path, values, found.origins), indent=2))
        return
    click.echo(f"# {name_of(path)}")
    for line in _lines(values, "", "", found.origins):
        click.echo(line)


def in_force(config: Config) -> dict[str, Any]:
    """Give all values, with secrets masked, without older names of keys."""
    shown = effective(config)
    driver = config.storage.driver
    if driver in DRIVERS:
        defaults = {
            field.name: field.default
            for field in attrs.fields(DRIVERS[driver])
            if field.default is not attrs.NOTHING
        }
        shown["storage"][driver] = {**defaults, **shown["storage"][driver]}
    return dict(_modern(shown, ""))


def _modern(values: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    """Leave out older names, whose values have moved, and what has no effect."""
    for name, value in values.items():
        inner = f"{path}.{name}" if path else name
        row = find_key(inner)
        known = row.known if row is not None and row.path == inner else Declared()
        if known.newer or (known.no_effect and not value):
            continue
        if _is_list_of_sections(value):
            yield name, [dict(_modern(item, f"{inner}[]")) for item in value]
        elif not isinstance(value, Mapping) or not value:
            yield name, value
        elif left := dict(_modern(value, inner)):
            yield name, left


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Give the values that have an origin of their own, with their paths."""
    if isinstance(value, Mapping) and value:
        for name, item in value.items():
            yield from _leaves(item, f"{path}.{name}" if path else name)
    elif _is_list_of_sections(value):
        for index, item in enumerate(value):
            yield from _leaves(item, f"{path}[{index}]")
    else:
        yield path, value


def _is_list_of_sections(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping)


def _lines(
    values: Mapping[str, Any], path: str, indent: str, origins: Origins
) -> Iterator[str]:
    """Write a section, one value in a line, with its origin behind it."""
    for name, value in values.items():
        inner = f"{path}.{name}" if path else name
        head = f"{indent}{_flow(name)}:"
        if isinstance(value, Mapping) and value:
            yield head
            yield from _lines(value, inner, f"{indent}  ", origins)
        elif _is_list_of_sections(value):
            yield head
            for index, item in enumerate(value):
                first, *rest = _lines(item, f"{inner}[{index}]", f"{indent}  ", origins)
                yield f"{indent}- {first.removeprefix(indent + '  ')}"
                yield from rest
        else:
            yield f"{head} {_flow(value)}  # {origins.of(inner)}"


def _flow(value: Any) -> str:
    """Write a value in one line."""
    text = yaml.safe_dump(
        value, default_flow_style=True, width=_WIDTH, allow_unicode=True
    )
    return text.removesuffix("\n").removesuffix("\n...")


def _report(
    path: str | None, values: Mapping[str, Any], origins: Origins
) -> dict[str, Any]:
    return {
        "file": path,
        "config": values,
        "origins": {leaf: _origin(origins.of(leaf)) for leaf, _ in _leaves(values, "")},
    }


def _origin(origin: ValueOrigin) -> dict[str, Any]:
    stated = {name: value for name, value in attrs.asdict(origin).items() if value}
    return stated or {"default": True}
