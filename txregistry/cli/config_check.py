"""``txregistry config check``: all problems of a configuration at once."""

from __future__ import annotations

import json
from collections.abc import Sequence

import attrs
import click

from txregistry.assembly.reading import Loaded
from txregistry.cli.exits import FAILED, epilog
from txregistry.cli.options import as_json_option
from txregistry.cli.places import config_argument, examined, name_of, place_of
from txregistry.config.keypaths import path_of
from txregistry.config.origins import Origins
from txregistry.config.read import ConfigurationError


@click.command(epilog=epilog("config check"))
@config_argument
@click.option("--strict", is_flag=True, help="Fail for warnings as well.")
@click.option(
    "-q", "--quiet", is_flag=True, help="Say nothing, only end with a status."
)
@as_json_option
def check(file: str | None, strict: bool, quiet: bool, as_json: bool) -> None:
    """Check a configuration as a start does; nothing is made or changed.

    Looks at the files that it names, and at the parameters of storage drivers and
    access controllers. Ends with 0 if there is no problem, with 1 if there is one, and
    with 2 if the command line is wrong or FILE cannot be opened.
    """
    path = place_of(file)
    try:
        found: Loaded | None = examined(path)
        assert found is not None
        problems, warnings, origins = found.problems, found.warnings, found.origins
    except ConfigurationError as error:
        problems, warnings, origins = error.problems, [], Origins(path)
    if as_json:
        click.echo(json.dumps(_report(path, problems, warnings, origins), indent=2))
    elif not quiet:
        _print(path, problems, warnings, origins)
    if problems or (strict and warnings):
        raise SystemExit(FAILED)


def _print(
    path: str | None, problems: Sequence[str], warnings: Sequence[str], origins: Origins
) -> None:
    for kind, lines in (("warning", warnings), ("problem", problems)):
        for line in lines:
            click.echo(f"{kind}: {line}{_where(line, origins)}")
    counts = f"{len(problems)} problems, {len(warnings)} warnings"
    click.echo(f"{name_of(path)}: {counts}")


def _where(line: str, origins: Origins) -> str:
    """Give the line of the file that a problem is about; variables are in its text."""
    origin = origins.of(path_of(line))
    return f" ({origin.file}:{origin.line})" if origin.line else ""


def _report(
    path: str | None, problems: Sequence[str], warnings: Sequence[str], origins: Origins
) -> dict[str, object]:
    return {
        "file": path,
        "problems": [_item(line, origins) for line in problems],
        "warnings": [_item(line, origins) for line in warnings],
    }


def _item(line: str, origins: Origins) -> dict[str, object]:
    key, _, message = line.partition(": ")
    origin = attrs.asdict(origins.of(key))
    return {"key": key, "message": message, **{k: v for k, v in origin.items() if v}}
