"""``txregistry pin`` and ``unpin``: images that a cache keeps, whatever its limits."""

from __future__ import annotations

import json

import click

from txregistry.cli.asking import asked, config_option, each_line
from txregistry.cli.exits import epilog
from txregistry.cli.options import as_json_option


@click.command(epilog=epilog("pin"))
@config_option
@click.argument("patterns", nargs=-1, metavar="[IMAGE]...")
@as_json_option
def pin(file: str | None, patterns: tuple[str, ...], as_json: bool) -> None:
    """Keep each IMAGE of a cache: it neither expires nor makes room.

    * stands for characters of one component of a name, or of a tag, ** for any
    components. Without an IMAGE, tell what was pinned so; cache.pin of the
    configuration is not listed.
    """
    if patterns:
        _change(file, "pin", patterns, as_json)
        return
    report = asked(file, "pins", {}, as_json)
    if as_json:
        click.echo(json.dumps(report, indent=2))
    else:
        each_line(report["patterns"])


@click.command(epilog=epilog("unpin"))
@config_option
@click.argument("patterns", nargs=-1, required=True, metavar="IMAGE...")
@as_json_option
def unpin(file: str | None, patterns: tuple[str, ...], as_json: bool) -> None:
    """Let each IMAGE go again that was pinned by this pattern."""
    _change(file, "unpin", patterns, as_json)


def _change(
    file: str | None, command: str, patterns: tuple[str, ...], as_json: bool
) -> None:
    changed = {
        pattern: asked(file, command, {"pattern": pattern}, as_json)["changed"]
        for pattern in patterns
    }
    if as_json:
        click.echo(json.dumps({"changed": changed}, indent=2))
        return
    for pattern, is_new in changed.items():
        word = f"{command}ned" if is_new else f"was {command}ned already"
        click.echo(f"{pattern}: {word}")
