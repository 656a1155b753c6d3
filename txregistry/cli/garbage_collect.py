"""``txregistry garbage-collect``: the command, and what it shows."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import click

from txregistry.cli.collect import CollectFailed, Options, collect
from txregistry.cli.daemon import DaemonFailed
from txregistry.cli.exits import epilog, fail
from txregistry.cli.options import Seconds, as_json_option, unlocked_option
from txregistry.cli.places import config_argument, place_of, usable_storage
from txregistry.cli.remote import daemon_elsewhere
from txregistry.config.model import Config

_STAGES = {
    "mark": "marking: repositories",
    "sweep": "sweeping: contents",
    "links": "cleaning links: repositories",
}


@click.command("garbage-collect", epilog=epilog("garbage-collect"))
@config_argument
@click.option(
    "-d", "--dry-run", is_flag=True, help="Delete nothing, say what would go."
)
@click.option(
    "-m",
    "--delete-untagged",
    is_flag=True,
    help="Delete manifests that no tag, index or subject keeps.",
)
@click.option(
    "--grace",
    type=Seconds(),
    default="1h",
    show_default=True,
    help="Keep content written or used within this time.",
)
@unlocked_option
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but what goes wrong.")
@as_json_option
def garbage_collect(
    file: str | None,
    dry_run: bool,
    delete_untagged: bool,
    grace: float,
    unlocked: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Delete content that nothing refers to any more.

    Of a cache only its local repositories are collected (proxy.local).

    A daemon that runs on the same storage does the work and keeps serving; without one
    this command does it alone. FILE is the daemon's configuration file.
    """
    options = Options(dry_run, delete_untagged, grace)
    shown = _Shown(quiet or as_json or not sys.stderr.isatty())
    try:
        where = daemon_elsewhere(file) or _config_of(file, as_json)
        with shown:
            report = collect(where, options, shown.tell, unlocked)
    except (DaemonFailed, CollectFailed) as error:
        fail(str(error), as_json, error.status)
    if as_json:
        click.echo(json.dumps(report, indent=2))
    elif not quiet:
        _print(report)


def _config_of(file: str | None, as_json: bool) -> Config:
    found = usable_storage(place_of(file), as_json).config
    if not found.proxy.has_own:
        reason = "a pull-through cache is not collected: what is unused expires"
        fail(f"{reason} (proxy.ttl)", as_json)
    return found


def _print(report: dict[str, Any]) -> None:
    verb = "would delete" if report["dry_run"] else "deleted"
    for digest in report["deleted"]:
        click.echo(f"{verb} {digest}")
    for broken in report["broken"]:
        click.echo(f"cannot be read, left alone: {broken}")
    click.echo(
        f"{report['repositories']} repositories: {verb}"
        f" {report['manifests_deleted']} manifests,"
        f" {report['blobs_deleted']} contents of {report['bytes_deleted']} bytes,"
        f" {report['links_deleted']} links,"
        f" {report['leftovers_deleted']} unfinished files;"
        f" kept {report['manifests_kept']} manifests, {report['blobs_kept']} contents"
    )


class _Shown:
    """A line with the progress of a collection, if stderr is a terminal."""

    def __init__(self, hidden: bool) -> None:
        self._line: Any = None
        self._tasks: dict[str, Any] = {}
        if not hidden:
            # rich is imported for whoever sees it.
            from txregistry.cli.bars import collection_line

            self._line = collection_line()

    def __enter__(self) -> None:
        if self._line is not None:
            self._line.start()

    def __exit__(self, *_: object) -> None:
        if self._line is not None:
            self._line.stop()

    @property
    def tell(self) -> Callable[[str, int], None]:
        """Give the function that shows progress."""
        return self._tell

    def _tell(self, stage: str, done: int) -> None:
        if self._line is None:
            return
        if stage not in self._tasks:
            text = _STAGES.get(stage, stage)
            self._tasks[stage] = self._line.add_task(text, total=None)
        self._line.update(self._tasks[stage], completed=done)
