"""``txregistry verify``: read all that is stored, in the daemon or in this process."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import attrs
import click
from twisted.internet.defer import Deferred

from txregistry.admin.requester import ourselves
from txregistry.assembly.audit import AuditedScrubber
from txregistry.assembly.context import Context
from txregistry.assembly.scrub import assemble_scrubber
from txregistry.assembly.settings import own_path
from txregistry.assembly.storage import StorageParts
from txregistry.cli.daemon import DaemonFailed, ask, connect, stop
from txregistry.cli.exits import (
    NOT_ALL_READ,
    NOT_PERMITTED,
    CommandFailed,
    epilog,
    fail,
)
from txregistry.cli.offline import OfflineFailed, work_offline
from txregistry.cli.options import ByteSize, Seconds, as_json_option, unlocked_option
from txregistry.cli.places import place_of, usable
from txregistry.cli.verify_report import VerifyShown, show_verified, verified_status
from txregistry.config.model import Config
from txregistry.interfaces.scrub import (
    ScrubOptions,
    ScrubProgress,
    ScrubReport,
)
from txregistry.spec.errors import NameInvalid
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
    config = usable(place_of(file), as_json).config
    options = VerifyOptions(limit_rate, repositories, resume, skip_recent)
    shown = VerifyShown(quiet or as_json)
    try:
        with shown:
            report = verified(config, options, shown.tell, unlocked)
    except VerifyFailed as error:
        fail(str(error), as_json, error.status)
    show_verified(report, as_json, not repositories)
    raise SystemExit(verified_status(report))


def verified(
    config: Config, options: VerifyOptions, tell: TellVerified, unlocked: bool = False
) -> dict[str, Any]:
    """Read what is stored; give the report.

    :param unlocked: also where nothing tells whether a registry uses the storage.
    :raise VerifyFailed: it could not be done, or not begun.
    """
    try:
        connection = connect(own_path(config, "control.sock", ""))
        if connection is None:
            return _verify_here(config, options, tell, unlocked)
        with connection, on_interrupt(lambda: stop(connection)):
            return ask(connection, "verify", attrs.asdict(options), tell)
    except (DaemonFailed, OfflineFailed, NameInvalid) as error:
        raise VerifyFailed(str(error), _status(error)) from error


def _status(error: Exception) -> int:
    refused = isinstance(error, DaemonFailed) and error.status == NOT_PERMITTED
    return NOT_PERMITTED if refused else NOT_ALL_READ


def _verify_here(
    config: Config, options: VerifyOptions, tell: TellVerified, unlocked: bool
) -> dict[str, Any]:
    is_cache = bool(config.proxy.remoteurl)
    wanted = ScrubOptions(
        options.rate,
        tuple(map(RepositoryName.parse, options.repositories)),
        options.resume,
        options.skip_seconds,
        links=not is_cache,
    )

    async def work(context: Context, storage: StorageParts) -> ScrubReport:
        scrubber = assemble_scrubber(
            storage.local,
            None,
            is_cache,
            context.metrics.scrub,
            context.clock,
            context.reactor,
        )
        try:
            audited = AuditedScrubber(scrubber, context.audit, ourselves())
            return await _stoppable(context, audited.scrub(wanted, progress))
        finally:
            if is_cache:
                await storage.local.databases.ledger.close()

    def progress(made: ScrubProgress) -> None:
        tell(attrs.asdict(made))

    return attrs.asdict(work_offline(config, work, unlocked))


async def _stoppable(context: Context, work: Deferred[ScrubReport]) -> ScrubReport:
    # The handler of the reactor would end it without a report.
    with on_interrupt(lambda: context.reactor.callFromThread(work.cancel)):
        return await work


@contextmanager
def on_interrupt(end: Callable[[], None]) -> Iterator[None]:
    """Let the first interrupt (Ctrl-C) end work politely; the second one acts as usual.

    :param end: called once; the work then ends with what it has.
    """
    before = signal.getsignal(signal.SIGINT)

    def interrupted(*_: object) -> None:
        signal.signal(signal.SIGINT, before)
        end()

    signal.signal(signal.SIGINT, interrupted)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
