"""``txregistry status``: upstreams, disk and downloads of a running cache."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

import click

from txregistry.cli.asking import (
    asked,
    config_option,
    each_line,
    human_size,
    human_span,
)
from txregistry.cli.exits import epilog
from txregistry.cli.options import as_json_option

#: Content that is shown of what would go next.
_SHOWN = 3


@click.command(epilog=epilog("status"))
@config_option
@as_json_option
def status(file: str | None, as_json: bool) -> None:
    """Show a cache: its upstreams, what is downloaded, its disk and what goes next.

    Counts are those since the start of the daemon.
    """
    report = asked(file, "status", {}, as_json)
    report["disk"] = asked(file, "disk", {"number": _SHOWN}, as_json)
    if as_json:
        click.echo(json.dumps(report, indent=2))
        return
    if report["offline"]:
        click.echo("offline: no upstream is asked")
    each_line(upstream_lines(report["upstreams"]))
    each_line(download_lines(report["downloads"]))
    each_line(disk_lines(report["disk"], time.time()))


def upstream_lines(upstreams: list[Mapping[str, Any]]) -> Iterator[str]:
    """Write a line for each upstream (pure)."""
    width = max((len(upstream["name"]) for upstream in upstreams), default=0)
    for upstream in upstreams:
        saved = max(0, upstream["served_bytes"] - upstream["pulled_bytes"])
        paused = upstream["paused_seconds"]
        state = f"away, asked again in {paused:.0f}s" if paused else "asked as usual"
        yield (
            f"{upstream['name']:{width}}  {state}; {upstream['requests']} requests,"
            f" {_percent(upstream['hits'], upstream['requests'])} hits,"
            f" {upstream['stale']} stale;"
            f" pulled {human_size(upstream['pulled_bytes'])}, saved {human_size(saved)}"
        )


def download_lines(downloads: list[Mapping[str, Any]]) -> Iterator[str]:
    """Write a line for each download (pure)."""
    for download in downloads:
        size, done, rate = download["size"], download["done"], download["rate"]
        whole = "?" if size is None else human_size(size)
        left = ""
        if size is not None and rate:
            left = f", {human_span(max(1.0, (size - done) / rate))} left"
        yield (
            f"downloading {download['digest'][:19]} of {download['upstream']}:"
            f" {human_size(done)} of {whole}, {human_size(rate)}/s{left}"
        )


def disk_lines(disk: Mapping[str, Any], now: float) -> Iterator[str]:
    """Write what the cache takes, and what would go next (pure)."""
    usage = disk["usage"]
    total = usage["stored"] + usage["reserved"] + usage["idle"]
    limit = f" of {human_size(disk['limit'])}" if disk["limit"] else ""
    line = f"stored: {human_size(total)}{limit}"
    if usage["disk"] is not None:
        line += f"; {human_size(usage['disk']['free'])} of the disk are free"
    if disk["keep_free"]:
        line += f", {human_size(disk['keep_free'])} are kept free"
    yield line
    if disk["shortage"] is not None:
        short = disk["shortage"]
        yield f"{human_size(short['size'])} have to go ({short['limit']})"
    if disk["limit"] or disk["keep_free"]:
        for candidate in disk["candidates"]:
            yield _candidate(candidate, now)


def _candidate(candidate: Mapping[str, Any], now: float) -> str:
    stored = candidate["stored"]
    unused = human_span(now - stored["last_use"])
    names = ", ".join(candidate["repositories"][:3])
    stays = candidate["stays"]
    return (
        f"{'stays' if stays else 'next to go'}: {stored['reference'][:19]} of {names},"
        f" {human_size(stored['size'])}, unused for {unused}"
        + (f"; it {stays}" if stays else "")
    )


def _percent(part: int, whole: int) -> str:
    return f"{100 * part // whole} %" if whole else "no"
