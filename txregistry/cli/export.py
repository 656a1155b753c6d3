"""``txregistry export``: write images for a registry that no link leads to."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TextIO

import attrs
import click

from txregistry.cli.asking import (
    IMAGES_AT_ONCE,
    RunningDaemon,
    config_option,
    daemon_here,
    human_size,
    list_option,
    named_images,
    platform_option,
)
from txregistry.cli.daemon import DaemonFailed, receive
from txregistry.cli.exits import epilog, fail
from txregistry.cli.options import as_json_option
from txregistry.cli.transferbars import TransferBars
from txregistry.ocilayout.index import IndexEntry, LayoutError, make_entry
from txregistry.ocilayout.layout import LayoutWriter
from txregistry.ocilayout.places import begin_layout, digests_in
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest


@attrs.define
class Written:
    """What was done for one image.

    :ivar parts: manifests and blobs.
    :ivar written: how many of them were written.
    :ivar there: how many the layout, or the other side, had.
    """

    image: str
    digest: str
    parts: int = 0
    written: int = 0
    written_bytes: int = 0
    there: int = 0


@click.command(epilog=epilog("export"))
@config_option
@click.argument("images", nargs=-1)
@list_option
@platform_option
@click.option(
    "--have",
    "had",
    multiple=True,
    metavar="FILE|DIR|TAR",
    help="Leave out the blobs that are listed in this file, or that are in this layout:"
    " the other side has them. Can be said several times.",
)
@click.option(
    "--list",
    "lists_only",
    is_flag=True,
    help="Write nothing, but list the digests of what is here of the images, for"
    " --have at the other side.",
)
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but what goes wrong.")
@as_json_option
def export(
    file: str | None,
    images: tuple[str, ...],
    lists: tuple[TextIO, ...],
    platforms: tuple[str, ...],
    had: tuple[str, ...],
    lists_only: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Write each IMAGE to the OCI image layout DIR|TAR, which is named last.

    An image has to be here as a whole, for the platforms that are named, or for each
    of which something is here; warm it first. Signatures and all else that refers to
    it come as well. A directory keeps what it holds already, and an export into it
    that was interrupted goes on where it was; a tar appears when it is whole.
    """
    target = "" if lists_only else _target(images)
    wanted = named_images(images if lists_only else images[:-1], lists)
    daemon = daemon_here(file, as_json)
    try:
        plans = _plans(daemon, wanted, platforms, is_partial=lists_only)
        if lists_only:
            _list(plans, as_json)
            return
        others = set[Digest]().union(*map(digests_in, had))
        with TransferBars(quiet or as_json or not sys.stderr.isatty()) as bars:
            written = _write(daemon, begin_layout(target), plans, others, bars)
    except DaemonFailed as error:
        fail(str(error), as_json, error.status)
    except (LayoutError, OSError) as error:
        fail(str(error), as_json)
    if as_json:
        click.echo(json.dumps({"images": [*map(attrs.asdict, written)]}, indent=2))
    elif not quiet:
        for image in written:
            click.echo("".join(export_lines(image)))


def _target(images: Sequence[str]) -> str:
    if not images:
        raise click.UsageError("name a directory or a tar to write to")
    return images[-1]


def _plans(
    daemon: RunningDaemon,
    images: Sequence[str],
    platforms: Sequence[str],
    is_partial: bool,
) -> list[Mapping[str, Any]]:
    plans: list[Mapping[str, Any]] = []
    for start in range(0, len(images), IMAGES_AT_ONCE):
        part = list(images[start : start + IMAGES_AT_ONCE])
        options = {"images": part, "platforms": list(platforms)}
        report = daemon.ask("export-plan", options | {"partial": is_partial})
        plans += report["images"]
    return plans


def _list(plans: Sequence[Mapping[str, Any]], as_json: bool) -> None:
    """Print what is here of images."""
    found = {part["digest"]: part["size"] for plan in plans for part in plan["parts"]}
    if as_json:
        click.echo(json.dumps({"digests": found}, indent=2))
        return
    for digest, size in found.items():
        click.echo(f"{digest} {size}")


def _write(
    daemon: RunningDaemon,
    layout: LayoutWriter,
    plans: Sequence[Mapping[str, Any]],
    others: set[Digest],
    bars: TransferBars,
) -> list[Written]:
    """Write all parts, then the index that names the images."""
    try:
        done = [_write_image(daemon, layout, plan, others, bars) for plan in plans]
        layout.finish([entry for plan in plans for entry in entries_of(plan)])
    finally:
        layout.abandon()
    return done


def _write_image(
    daemon: RunningDaemon,
    layout: LayoutWriter,
    plan: Mapping[str, Any],
    others: set[Digest],
    bars: TransferBars,
) -> Written:
    made = Written(plan["image"], plan["digest"])
    for part in plan["parts"]:
        digest, size = Digest.parse(part["digest"]), part["size"]
        made.parts += 1
        # Manifests are small, and say what the image is made of.
        is_had = part["kind"] == "blob" and digest in others
        if is_had or layout.has(digest, size):
            made.there += 1
            continue
        with (
            daemon.connected() as connection,
            receive(connection, "content", {"digest": str(digest)}) as content,
            bars.shown(made.image, digest, size, content) as source,
        ):
            layout.add(digest, size, source)
        made.written += 1
        made.written_bytes += size
    return made


def entries_of(plan: Mapping[str, Any]) -> Iterator[IndexEntry]:
    """Give the entries of an index for one image, and for what refers to it (pure)."""
    yield make_entry(
        Descriptor(Digest.parse(plan["digest"]), plan["size"], plan["media_type"]),
        plan["full_name"],
        plan["image"],
        plan["confirmed_at"],
    )
    for part in plan["parts"]:
        if part["refers"]:
            digest = Digest.parse(part["digest"])
            yield make_entry(Descriptor(digest, part["size"], part["media_type"]))


def export_lines(image: Written) -> Iterator[str]:
    """Write what was done for one image (pure)."""
    yield f"{image.image}: {image.parts} parts, {image.written} written"
    yield f" ({human_size(image.written_bytes)})"
    if image.there:
        yield f", {image.there} there already"
