"""``txregistry verify``: read all that is stored, in the daemon or in this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs
import click

from txregistry.assembly.ownpaths import own_path
from txregistry.cli.daemon import DaemonFailed, ask, connect, stop
from txregistry.cli.exits import (
    NOT_ALL_READ,
    NOT_PERMITTED,
    CommandFailed,
    OfflineFailed,
    epilog,
    fail,
)
from txregistry.cli.interrupt import on_interrupt
from txregistry.cli.options import (
    ByteSize,
    Repository,
    Seconds,
    as_json_option,
    unlocked_option,
)
from txregistry.cli.places import place_of, usable_storage
from txregistry.cli.remote import RemoteDaemon, daemon_elsewhere
from txregistry.cli.verify_report import VerifyShown, show_verified, verified_status
from txregistry.config.model import Config
from txregistry.interfaces.scrub import ScrubOptions
from txregistry.spec.reference import RepositoryName

#: Called with progress, as of :class:`ScrubProgress`.
TellVerified = Callable[[Mapping[str, Any]], None]


class VerifyFailed(CommandFailed):
    """Not everything was read; the message says why."""


@attrs.frozen
class VerifyOptions:
    """What is to be read, and how; see :class:`ScrubOptions`."""

    rate: float = 0.0
    repositories: tuple[str, ...] = ()
    resume: bool = False
    skip_seconds: float = 0.0


@click.command(epilog=epilog("verify"))
@click.option(
    "-c",
    "--config",
    "file",
    type=click.Path(exists=True, dir_okay=False, readable=True),
    help="The configuration file of the daemon.",
)
@click.option(
    "--limit-rate",
    type=ByteSize(),
    default="50MiB",
    show_default=True,
    help="Bytes per second that are read; 0 for no limit.",
)
@click.option(
    "--repository",
    "repositories",
    type=Repository(),
    multiple=True,
    metavar="NAME",
    help="Read only what this one links; may be given more than once.",
)
@click.option("--resume", is_flag=True, help="Resume an earlier pass.")
@click.option(
    "--skip-recent",
    type=Seconds(),
    default="0",
    help="Skip what a verification has read within this time.",
)
@unlocked_option
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
@as_json_option
def verify(
    file: str | None,
    limit_rate: int,
    repositories: tuple[str, ...],
    resume: bool,
    skip_recent: float,
    unlocked: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Read all that is stored, and find what the disk has damaged.

    A daemon that runs on the same storage does the work and keeps serving; without one
    this command does it alone. Damaged content is set aside; a cache that runs fetches
    it again. Ctrl-C ends it, with a report of what was read.
    """
    options = VerifyOptions(limit_rate, repositories, resume, skip_recent)
    shown = VerifyShown(quiet or as_json)
    try:
        there = daemon_elsewhere(file)
        config = there or usable_storage(place_of(file), as_json).config
        with shown:
            report = verified(config, options, shown.tell, unlocked)
    except (DaemonFailed, VerifyFailed) as error:
        fail(str(error), as_json, error.status)
    show_verified(report, as_json, not repositories)
    raise SystemExit(verified_status(report))


def verified(
    where: Config | RemoteDaemon,
    options: VerifyOptions,
    tell: TellVerified,
    unlocked: bool = False,
) -> dict[str, Any]:
    """Read what is stored; give the report.

    :param where: a daemon elsewhere, or the configuration of this storage.
    :param unlocked: also where nothing tells whether a registry uses the storage.
    :raise VerifyFailed: it could not be done, or not begun.
    """
    try:
        if isinstance(where, RemoteDaemon):
            return where.ask("verify", attrs.asdict(options), tell)
        connection = connect(own_path(where, "control.sock", ""))
        if connection is None:
            return _verify_here(where, options, tell, unlocked)
        with connection, on_interrupt(lambda: stop(connection)):
            return ask(connection, "verify", attrs.asdict(options), tell)
    except (DaemonFailed, OfflineFailed) as error:
        raise VerifyFailed(str(error), _status(error)) from error


def _status(error: Exception) -> int:
    refused = isinstance(error, DaemonFailed) and error.status == NOT_PERMITTED
    return NOT_PERMITTED if refused else NOT_ALL_READ


def _verify_here(
    config: Config, options: VerifyOptions, tell: TellVerified, unlocked: bool
) -> dict[str, Any]:
    # Most of a daemon; see Note [Light commands] in ``places``.
    from txregistry.cli.verify_offline import verify_here

    wanted = ScrubOptions(
        options.rate,
        tuple(map(RepositoryName.parse, options.repositories)),
        options.resume,
        options.skip_seconds,
        links=config.proxy.has_own,
    )
    return verify_here(config, wanted, tell, unlocked)
