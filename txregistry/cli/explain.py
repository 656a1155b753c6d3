"""``txregistry explain``: what a cache has of images."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any, TextIO

import click

from txregistry.cli.asking import (
    asked_of_images,
    config_option,
    each_line,
    human_size,
    human_span,
    image_arguments,
    named_images,
)
from txregistry.cli.exits import FAILED, epilog
from txregistry.cli.options import as_json_option


@click.command(epilog=epilog("explain"))
@config_option
@image_arguments
@as_json_option
def explain(
    file: str | None,
    images: tuple[str, ...],
    lists: tuple[TextIO, ...],
    as_json: bool,
) -> None:
    """Tell what a cache has of each IMAGE, for which platforms, and for how long.

    No upstream is asked, and nothing counts as used.
    """
    wanted = named_images(images, lists)
    report = asked_of_images(file, "explain", wanted, {}, as_json)
    if as_json:
        click.echo(json.dumps(report, indent=2))
    else:
        for image in report["images"]:
            each_line(explained(image, time.time()))
    if not all(image["digest"] for image in report["images"]):
        raise SystemExit(FAILED)


def explained(image: Mapping[str, Any], now: float) -> Iterator[str]:
    """Write what is known of an image (pure)."""
    yield image["image"]
    whose = "local" if image["is_local"] else image["upstream"]
    yield f"  upstream:   {whose}"
    if image["answer"] is not None:
        yield f"  last answer: {_told(image['answer'], now)}"
    if not image["digest"]:
        yield "  not here"
        return
    yield f"  digest:     {image['digest']}"
    for platform in image["platforms"]:
        yield f"  {(platform['platform'] or 'image') + ':':11} {completeness(platform)}"
    if image["confirmed_at"] is not None:
        yield f"  confirmed:  {_ago(image['confirmed_at'], now)}"
        yield f"  asked again: {_until(image['fresh_until'], now)}"
    if image["stale_until"] is not None:
        yield f"  in an outage served {_until(image['stale_until'], now)}"
    if image["last_use"] is not None:
        yield f"  last used:  {_ago(image['last_use'], now)}"
        expires = image["expires_at"]
        when = "never" if expires is None else _until(expires, now)
        yield f"  expires:    {when}, if it is not used"


def completeness(platform: Mapping[str, Any]) -> str:
    """Write how much of a platform is here (pure)."""
    missing = platform["missing"]
    if platform["digest"] in missing:
        return "not here"
    size = human_size(platform["bytes"])
    return f"{len(missing)} blobs missing of {size}" if missing else f"complete, {size}"


def _told(answer: Mapping[str, Any], now: float) -> str:
    why = answer["cache_status"] or "nothing was looked up"
    return f"{answer['status']}, {_ago(answer['at'], now)} ({why})"


def _ago(at: float, now: float) -> str:
    past = round(now - at)
    return f"{human_span(past)} ago" if past > 0 else "now"


def _until(at: float, now: float) -> str:
    left = round(at - now)
    return f"in {human_span(left)}" if left > 0 else "now"
