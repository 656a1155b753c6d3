"""``txregistry reload``: have the daemon reload its configuration."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click

from txregistry.assembly.ownpaths import own_path
from txregistry.cli.daemon import DaemonFailed, ask, connect
from txregistry.cli.exits import FAILED, NEEDS_RESTART, NOT_PERMITTED, epilog, fail
from txregistry.cli.options import as_json_option
from txregistry.cli.places import config_argument, name_of, place_of, read_only
from txregistry.config.read import EX_CONFIG, ConfigurationError

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
@click.option(
    "--or-signal",
    "pid",
    type=click.IntRange(1),
    metavar="PID",
    help="Send SIGHUP to this process where no control socket is found; its log then"
    " has the outcome.",
)
@click.option(
    "--partly",
    is_flag=True,
    help="End with 0 as well if some changed keys need a restart.",
)
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but what goes wrong.")
@as_json_option
def reload(
    file: str | None,
    path: str | None,
    pid: int | None,
    partly: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Have the daemon reload its configuration, and report the outcome.

    FILE is the configuration file of the daemon, and tells where its socket is. Keys
    that need a restart are listed; if the configuration has problems, the previous one
    stays in force.
    """
    try:
        report = reloaded(path or _socket(file))
    except NoSocket as error:
        if pid is not None:
            _send_signal(pid, str(error), as_json)
        if pid is None or error.problems:
            fail(str(error), as_json, error.status, error.problems)
        if as_json:
            click.echo(json.dumps({"signalled": pid}, indent=2))
        return
    except DaemonFailed as error:
        fail(str(error), as_json, error.status)
    if as_json:
        click.echo(json.dumps(report, indent=2))
    elif report["problems"] or not quiet:
        for line in lines(report):
            click.echo(line, err=bool(report["problems"]))
    status = exit_status(report)
    raise SystemExit(0 if partly and status == NEEDS_RESTART else status)


class NoSocket(DaemonFailed):
    """There is no control socket where the configuration leads to.

    :ivar problems: of the configuration, if that is why.
    """

    def __init__(self, reason: str, problems: Sequence[str] = ()) -> None:
        super().__init__(reason, EX_CONFIG if problems else FAILED)
        self.problems = problems


def _send_signal(pid: int, why: str, as_json: bool) -> None:
    """Send SIGHUP, or end with the reason that it cannot be sent."""
    try:
        os.kill(pid, signal.SIGHUP)
    except PermissionError:
        fail(f"this user may not signal process {pid}: {why}", as_json, NOT_PERMITTED)
    except (OSError, OverflowError):
        fail(f"there is no process {pid}: {why}", as_json)
    click.echo(f"SIGHUP was sent: {why}", err=True)


def _socket(file: str | None) -> str:
    """Return the path of the control socket; the configuration may have problems.

    :raise NoSocket: it cannot be told.
    """
    place = place_of(file)
    try:
        found = read_only(place)
        path, problems = own_path(found.config, "control.sock", ""), found.problems
    except ConfigurationError as error:
        path, problems = "", error.problems
    if problems and not os.path.exists(path):
        raise NoSocket(f"{name_of(place)} cannot be used", problems)
    if not path:
        raise NoSocket(
            "a daemon without a directory of its own (storage.statedirectory, or"
            " STATE_DIRECTORY) has no control socket"
        )
    return path


def reloaded(path: str) -> dict[str, Any]:
    """Reload; return the daemon's report.

    :param path: the control socket.
    :raise NoSocket: no daemon answers.
    :raise DaemonFailed: it is starting or stopping, or fails.
    """
    connection = connect(path)
    if connection is None:
        raise NoSocket(_SILENT.format(path=path))
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
