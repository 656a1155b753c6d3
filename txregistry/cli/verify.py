"""``txregistry verify``: read all that is stored, in the daemon or in this process."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import attrs
import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    FileSizeColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TransferSpeedColumn,
)
from twisted.internet.defer import Deferred

from txregistry.assembly.context import Context
from txregistry.assembly.scrub import assemble_scrubber
from txregistry.assembly.settings import own_path
from txregistry.assembly.storage import StorageParts
from txregistry.cli.daemon import DaemonFailed, ask, connect, stop
from txregistry.cli.offline import OfflineFailed, work_offline
from txregistry.config.model import Config
from txregistry.interfaces.scrub import (
    ScrubOptions,
    ScrubOutcome,
    ScrubProgress,
    ScrubReport,
)
from txregistry.spec.errors import NameInvalid
from txregistry.spec.reference import RepositoryName

#: Exit statuses.
ALL_GOOD, DAMAGE_FOUND, COULD_NOT = 0, 1, 2

#: Called with progress, as of :class:`ScrubProgress`.
TellVerified = Callable[[Mapping[str, Any]], None]

#: Percents after which a line of progress is printed where there is no terminal.
_STEP = 10


class VerifyFailed(Exception):
    """Not everything was read; the message says why."""


@attrs.frozen
class VerifyOptions:
    """What is to be read, and how; see :class:`ScrubOptions`."""

    rate: float = 0.0
    repositories: tuple[str, ...] = ()
    resume: bool = False
    skip_seconds: float = 0.0


def verify(
    config: Config, options: VerifyOptions, tell: TellVerified, unlocked: bool = False
) -> dict[str, Any]:
    """Read what is stored; give the report.

    :param unlocked: also where nothing tells whether a registry uses the storage.
    :raise VerifyFailed: it could not be done, or not begun.
    """
    connection = connect(own_path(config, "control.sock"))
    try:
        if connection is None:
            return _verify_here(config, options, tell, unlocked)
        with connection, on_interrupt(lambda: stop(connection)):
            return ask(connection, "verify", attrs.asdict(options), tell)
    except (DaemonFailed, OfflineFailed, NameInvalid) as error:
        raise VerifyFailed(str(error)) from error


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
            return await _stoppable(context, scrubber.scrub(wanted, progress))
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


def verified_status(report: Mapping[str, Any]) -> int:
    """Give the exit status for a report (pure)."""
    if report["damaged"] or report["missing"]:
        return DAMAGE_FOUND
    if report["unreadable"] or not report["complete"]:
        return COULD_NOT
    return ALL_GOOD


def report_lines(report: Mapping[str, Any], resumable: bool) -> Iterator[str]:
    """Give a report as lines for people (pure).

    :param resumable: an interrupted pass can be resumed.
    """
    for finding in report["findings"]:
        size = f" ({finding['size']} bytes)" if finding["size"] else ""
        names = ", ".join(finding["repositories"])
        linked = f"; linked by {names}" if names else ""
        what = _WORDS[ScrubOutcome(finding["outcome"])]
        yield f"{what} {finding['digest']}{size}{linked}"
    skipped = f", {report['skipped']} skipped" if report["skipped"] else ""
    yield (
        f"read {report['contents']} contents of {report['size']} bytes{skipped}:"
        f" {report['damaged']} damaged ({report['healed']} fetched again),"
        f" {report['missing']} missing, {report['unreadable']} cannot be read"
    )
    if not report["complete"]:
        more = "; --resume goes on where it was" if resumable else ""
        yield f"interrupted: not everything was read{more}"


_WORDS = {
    ScrubOutcome.HEALED: "damaged, fetched again from the upstream:",
    ScrubOutcome.SET_ASIDE: "damaged, set aside under txregistry/damaged:",
    ScrubOutcome.STUCK: "damaged, not served, but cannot be set aside:",
    ScrubOutcome.UNREADABLE: "cannot be read, left where it is:",
    ScrubOutcome.MISSING: "missing:",
}


class VerifyShown:
    """A progress bar on a terminal, else a line now and then; both on stderr."""

    def __init__(self, hidden: bool) -> None:
        is_terminal = sys.stderr.isatty()
        self._is_plain = not hidden and not is_terminal
        self._last = 0
        self._progress = Progress(
            TextColumn("verifying"),
            BarColumn(),
            TaskProgressColumn(),
            FileSizeColumn(),
            TransferSpeedColumn(),
            TextColumn("{task.fields[damaged]} damaged"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            disable=hidden or not is_terminal,
            transient=True,
        )
        self._task = self._progress.add_task("", total=None, damaged=0)

    def __enter__(self) -> None:
        self._progress.start()

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def tell(self, made: Mapping[str, Any]) -> None:
        """Show progress."""
        if self._is_plain:
            self._say(made)
        fraction, size = float(made["fraction"]), int(made["size"])
        # Nobody has counted how much there is: it follows from how far it has come.
        total = size / fraction if fraction else None
        self._progress.update(
            self._task, completed=size, total=total, damaged=made["damaged"]
        )

    def _say(self, made: Mapping[str, Any]) -> None:
        percent = int(made["fraction"] * 100) // _STEP * _STEP
        if percent > self._last:
            self._last = percent
            click.echo(
                f"{percent} %: {made['contents']} contents, {made['size']} bytes,"
                f" {made['damaged']} damaged",
                err=True,
            )


def show_verified(
    report: Mapping[str, Any], as_json: bool, options: VerifyOptions
) -> None:
    """Print a report."""
    if as_json:
        click.echo(json.dumps(report, indent=2))
        return
    for line in report_lines(report, resumable=not options.repositories):
        click.echo(line)
