"""``txregistry config explain``: all that is known of a key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import attrs
import click
from click.shell_completion import CompletionItem

from txregistry.cli.exits import epilog, fail
from txregistry.cli.facts import facts
from txregistry.config.table import Key, find_key, keys, near


def _complete(context: Any, param: Any, incomplete: str) -> list[CompletionItem]:
    return [
        CompletionItem(row.path, help=row.doc)
        for row in keys()
        if row.path.startswith(incomplete)
    ]


@click.command(epilog=epilog("config explain"))
@click.argument("key", shell_complete=_complete)
@click.option("--json", "as_json", is_flag=True, help="Tell in JSON.")
def explain(key: str, as_json: bool) -> None:
    """Tell all that is known of KEY, or of a section.

    KEY is a path, such as proxy.tagttl or notifications.endpoints[0].url, or a variable
    of the environment, such as REGISTRY_PROXY_TAGTTL.
    """
    row = find_key(key)
    if row is None:
        meant = near(key)
        hint = f"; did you mean {' or '.join(meant)}?" if meant else ""
        fail(f"{key} is no key{hint}", as_json)
    if as_json:
        click.echo(json.dumps(_plain(row), indent=2))
    else:
        click.echo("\n".join(_lines(row)))


def _below(row: Key) -> Iterator[Key]:
    """Give the keys right below a section."""
    prefix = row.path + ("[]." if row.kind.startswith("list") else ".")
    for other in keys():
        _, found, rest = other.path.partition(prefix)
        if other.path == found + rest and found and "." not in rest:
            yield other


def _lines(row: Key) -> Iterator[str]:
    yield row.path
    yield f"  {row.doc}"
    for name, text in facts(row):
        yield f"  {name + ':':11}{text}"
    if row.is_section:
        yield "  keys:"
        for other in _below(row):
            yield f"    {other.path}: {other.doc}"


def _plain(row: Key) -> dict[str, object]:
    known = attrs.asdict(row.known) | {"doc": row.doc, "restart": row.restart}
    return {
        "key": row.path,
        "type": row.kind,
        "default": row.default,
        "variable": row.variable,
        "twin_of": row.twin_of,
        **known,
        "keys": [other.path for other in _below(row)] if row.is_section else [],
    }
