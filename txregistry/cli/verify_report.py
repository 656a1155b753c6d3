"""What ``txregistry verify`` shows: progress, and the report."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import click

from txregistry.cli.exits import FAILED, NOT_ALL_READ
from txregistry.interfaces.scrub import ScrubOutcome

#: Percents after which a line of progress is printed where there is no terminal.
_STEP = 10


def verified_status(report: Mapping[str, Any]) -> int:
    """Give the exit status for a report (pure)."""
    if report["damaged"] or report["missing"]:
        return FAILED
    if report["unreadable"] or not report["complete"]:
        return NOT_ALL_READ
    return 0


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
        self._bar: Any = None
        if is_terminal and not hidden:
            # rich is imported for whoever sees it.
            from txregistry.cli.bars import scrub_bar

            self._bar = scrub_bar()
            self._task = self._bar.add_task("", total=None, damaged=0)

    def __enter__(self) -> None:
        if self._bar is not None:
            self._bar.start()

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def tell(self, made: Mapping[str, Any]) -> None:
        """Show progress."""
        if self._is_plain:
            self._say(made)
        if self._bar is not None:
            self._move(made)

    def _move(self, made: Mapping[str, Any]) -> None:
        fraction, size = float(made["fraction"]), int(made["size"])
        # Nobody has counted how much there is: it follows from how far it has come.
        total = size / fraction if fraction else None
        self._bar.update(
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


def show_verified(report: Mapping[str, Any], as_json: bool, resumable: bool) -> None:
    """Print a report."""
    if as_json:
        click.echo(json.dumps(report, indent=2))
        return
    for line in report_lines(report, resumable):
        click.echo(line)
