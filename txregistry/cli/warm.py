"""``txregistry warm``: fetch images before somebody wants them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any, TextIO

import click

from txregistry.cli.asking import (
    asked_of_images,
    config_option,
    human_size,
    image_arguments,
    named_images,
    platform_option,
)
from txregistry.cli.blobbars import BlobBars
from txregistry.cli.exits import FAILED, epilog
from txregistry.cli.options import as_json_option


@click.command(epilog=epilog("warm"))
@config_option
@image_arguments
@platform_option
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but what goes wrong.")
@as_json_option
def warm(
    file: str | None,
    images: tuple[str, ...],
    lists: tuple[TextIO, ...],
    platforms: tuple[str, ...],
    quiet: bool,
    as_json: bool,
) -> None:
    """Have a cache fetch all of each IMAGE that it lacks.

    Images are named as clients pull them. The tag is asked for anew; of an index all
    platforms are fetched unless some are named. Signatures and all else that refers to
    it come as well. What was interrupted goes on where it was.
    """
    wanted, options = named_images(images, lists), {"platforms": list(platforms)}
    with _Bars(quiet or as_json or not sys.stderr.isatty()) as bars:
        report = asked_of_images(file, "warm", wanted, options, as_json, bars.tell)
    if as_json:
        click.echo(json.dumps(report, indent=2))
    else:
        _show(report, quiet)
    if any(image["failures"] for image in report["images"]):
        raise SystemExit(FAILED)


def _show(report: Mapping[str, Any], quiet: bool) -> None:
    for image in report["images"]:
        for failure in image["failures"]:
            click.echo(f"{image['image']}: {failure}", err=True)
        if not quiet:
            click.echo("".join(warm_lines(image)))


def warm_lines(image: Mapping[str, Any]) -> Iterator[str]:
    """Write what was done for one image (pure)."""
    yield f"{image['image']}: {image['parts']} parts, {image['fetched']} fetched"
    yield f" ({human_size(image['fetched_bytes'])})"
    if image["failures"]:
        yield f", {len(image['failures'])} failed"


class _Bars(BlobBars):
    """A bar for each blob that is being fetched, if there is a terminal."""

    def __init__(self, hidden: bool) -> None:
        super().__init__(hidden)
        self._tasks: dict[str, Any] = {}

    def tell(self, made: Mapping[str, Any]) -> None:
        """Show how far a blob has come; one that is here is shown no more."""
        if self._progress is None or made["state"] == "waiting":
            return
        digest = made["digest"]
        if made["state"] == "fetching" and digest not in self._tasks:
            name = f"{made['image']} {digest.partition(':')[2][:12]}"
            self._tasks[digest] = self._progress.add_task(name, total=made["size"])
        if digest in self._tasks:
            task = self._tasks[digest]
            self._progress.update(task, completed=made["done"])
            if made["state"] != "fetching":
                self._progress.remove_task(self._tasks.pop(digest))
