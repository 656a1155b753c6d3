"""``txregistry reload``: have the daemon reload its configuration."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

import click

from txregistry.assembly.loading import EX_CONFIG
from txregistry.assembly.settings import own_path
from txregistry.cli.daemon import DaemonFailed, ask, connect
from txregistry.cli.exits import NEEDS_RESTART, epilog, fail
from txregistry.cli.options import as_json_option
from txregistry.cli.places import config_argument, examined, name_of, place_of
from txregistry.config.read import ConfigurationError

_SILENT = (
    "no daemon answers at {path}: name its configuration, or its socket with --socket"
)


@click.command("reload", epilog=epilog("reload"))
@config_argument
@click.option(
    "--socket",
    "path",
    type=click.Path(dir_okay=False),
    help="The control socket of the daemon, if FILE does not lead to it.",
)
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but what goes wrong.")
@as_json_option
def reload(file: str | None, path: str | None, quiet: bool, as_json: bool) -> None:
    """Have the daemon reload its configuration, and report the outcome.

    FILE is the configuration file of the daemon, and tells where its socket is. Keys
    that need a restart are listed; if the configuration has problems, the previous one
    stays in force.
    """
    try:
        report = reloaded(path or _socket(file, as_json))
    except DaemonFailed as error:
        fail(str(error), as_json, error.status)
    if as_json:
        click.echo(json.dumps(report, indent=2))
    elif report["problems"] or not quiet:
        for line in lines(report):
            click.echo(line, err=bool(report["problems"]))
    raise SystemExit(exit_status(report))


def _socket(file: str | None, as_json: bool) -> str:
    """Return the path of the control socket; the configuration may have problems."""
    place = place_of(file)
    try:
        found = examined(place)
        path, problems = own_path(found.config, "control.sock", ""), found.problems
    except ConfigurationError as error:
        path, problems = "", error.problems
    if problems and not os.path.exists(path):
        fail(f"{name_of(place)} cannot be used", as_json, EX_CONFIG, problems)
    if not path:
        fail("a daemon whose storage is no directory has no control socket", as_json)
    return path


def reloaded(path: str) -> dict[str, Any]:
    """Reload; return the daemon's report.

    :param path: the control socket.
    :raise DaemonFailed: no daemon answers, or it is starting or stopping.
    """
    connection = connect(path)
    if connection is None:
        raise DaemonFailed(_SILENT.format(path=path))
    with connection:
        return ask(connection, "reload", {}, lambda _: None)


def exit_status(report: Mapping[str, Any]) -> int:
    """Return the exit status for a report (pure)."""
    if report["problems"]:
        return EX_CONFIG
    return NEEDS_RESTART if report["restart"] else 0


def lines(report: Mapping[str, Any]) -> Iterator[str]:
    """Write a report as lines of text (pure)."""
    yield from report["problems"]
    if report["problems"]:
        yield "reload failed: the previous configuration stays in force"
        return
    yield from (f"warning: {warning}" for warning in report["warnings"])
    yield from (f"changed: {key}" for key in report["changed"])
    yield from (
        f"needs a restart: {key} ({why})" for key, why in report["restart"].items()
    )
    if not report["changed"] and not report["restart"]:
        yield "nothing has changed"
