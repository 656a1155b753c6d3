"""``txregistry import``: take in images that were carried here."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing

import attrs
import click

from txregistry.cli.asking import RunningDaemon, config_option, daemon_here, human_size
from txregistry.cli.daemon import DaemonFailed, send
from txregistry.cli.exits import FAILED, epilog, fail
from txregistry.cli.options import as_json_option
from txregistry.cli.transferbars import TransferBars
from txregistry.ocilayout.contents import (
    ImageContents,
    image_contents,
    named_entries,
    referring,
)
from txregistry.ocilayout.index import IndexEntry, LayoutError
from txregistry.ocilayout.layout import ByteSource, LayoutReader, read_piece
from txregistry.ocilayout.places import open_layout
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.manifest.model import Manifest

#: Blobs in one question, of at most 64 KiB.
_BLOBS_AT_ONCE = 200


@attrs.define
class Taken:
    """What was done for one image.

    :ivar parts: manifests and blobs.
    :ivar sent: blobs that were not here.
    :ivar kept: its tag was confirmed later than it was exported, and stays as it was.
    :ivar failure: why it was not taken in; empty if it was.
    """

    image: str
    digest: str
    parts: int = 0
    sent: int = 0
    sent_bytes: int = 0
    kept: bool = False
    failure: str = ""


@click.command("import", epilog=epilog("import"))
@config_option
@click.argument("source", metavar="DIR|TAR")
@click.argument("images", nargs=-1)
@click.option(
    "--name",
    metavar="IMAGE",
    help="What the only image of the layout, or the only one named, is called here.",
)
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but what goes wrong.")
@as_json_option
def import_images(
    file: str | None,
    source: str,
    images: tuple[str, ...],
    name: str | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Take in the images of an OCI image layout, or only each IMAGE of it.

    No upstream is asked. Every part is verified, and a tag appears when all of its
    image is here. What is here already is not sent again; a layout from which --have
    left out blobs needs them here.
    """
    daemon = daemon_here(file, as_json)
    try:
        with (
            closing(open_layout(source)) as layout,
            TransferBars(quiet or as_json or not sys.stderr.isatty()) as bars,
        ):
            entries = layout.entries()
            wanted = _wanted(entries, images, name)
            referrers = referring(layout, entries)
            taken = [
                _take(daemon, layout, entry, called, referrers, bars)
                for entry, called in wanted
            ]
    except DaemonFailed as error:
        fail(str(error), as_json, error.status)
    except (LayoutError, OSError) as error:
        fail(str(error), as_json)
    _show(taken, quiet, as_json)
    if any(image.failure for image in taken):
        raise SystemExit(FAILED)


def _wanted(
    entries: Sequence[IndexEntry], images: Sequence[str], name: str | None
) -> list[tuple[IndexEntry, str]]:
    """Return the images to take in, and what each is called.

    :raise LayoutError: one is not there, or there is no name for it.
    """
    found = named_entries(entries)
    if images:
        found = [_find(entries, image) for image in images]
    if not found:
        raise LayoutError("the layout names no image; say --name, if it has one image")
    if name is not None and len(found) > 1:
        raise LayoutError(f"the layout has {len(found)} images: name one for --name")
    if name is None and not all(entry.identity for entry in found):
        raise LayoutError("the image of the layout has no name; say --name IMAGE")
    wanted = [(entry, name or entry.identity) for entry in found]
    for entry, called in wanted:
        _, at, digest = called.partition("@")
        if at and digest != str(entry.descriptor.digest):
            raise LayoutError(f"{called}: the layout has {entry.descriptor.digest}")
    return wanted


def _find(entries: Sequence[IndexEntry], image: str) -> IndexEntry:
    for entry in entries:
        if image in (entry.full_name, entry.name, str(entry.descriptor.digest)):
            return entry
    known = ", ".join(entry.identity for entry in entries if entry.identity) or "none"
    raise LayoutError(f"the layout has no image {image}; it has: {known}")


def _take(
    daemon: RunningDaemon,
    layout: LayoutReader,
    entry: IndexEntry,
    image: str,
    referrers: Sequence[Manifest],
    bars: TransferBars,
) -> Taken:
    """Take one image in; what goes wrong with it is reported."""
    made = Taken(image, str(entry.descriptor.digest))
    try:
        contents = image_contents(layout, entry, referrers)
        made.parts = len(contents.manifests) + len(contents.blobs)
        _send_blobs(daemon, layout, contents, made, bars)
        for manifest in contents.manifests:
            _send(daemon, layout, "import-manifest", image, manifest, bars)
        options = {"image": image, "digest": made.digest}
        report = daemon.ask(
            "import-complete", options | {"confirmed_at": entry.confirmed_at}
        )
        made.image, made.kept = report["image"], not report["stands"]
    except (DaemonFailed, LayoutError) as error:
        made.failure = str(error)
    return made


def _send_blobs(
    daemon: RunningDaemon,
    layout: LayoutReader,
    contents: ImageContents,
    made: Taken,
    bars: TransferBars,
) -> None:
    for blob in _lacking(daemon, made.image, contents.blobs):
        if layout.size_of(blob.digest) != blob.size:
            raise LayoutError(f"{blob.digest} is neither in the layout nor here")
        _send(daemon, layout, "import-blob", made.image, blob, bars)
        made.sent += 1
        made.sent_bytes += blob.size or 0


def _lacking(
    daemon: RunningDaemon, image: str, blobs: Sequence[Descriptor]
) -> Iterator[Descriptor]:
    """Give the blobs that the daemon lacks, when all were asked for."""
    lacking: set[Digest] = set()
    for start in range(0, len(blobs), _BLOBS_AT_ONCE):
        part = blobs[start : start + _BLOBS_AT_ONCE]
        listed = [{"digest": str(blob.digest), "size": blob.size or 0} for blob in part]
        report = daemon.ask("import-lacks", {"image": image, "blobs": listed})
        lacking.update(map(Digest.parse, report["digests"]))
    return (blob for blob in blobs if blob.digest in lacking)


def _send(
    daemon: RunningDaemon,
    layout: LayoutReader,
    command: str,
    image: str,
    part: Descriptor,
    bars: TransferBars,
) -> None:
    options = {
        "image": image,
        "digest": str(part.digest),
        "size": part.size or 0,
        "media_type": part.media_type,
    }
    with (
        layout.open(part.digest) as file,
        bars.shown(image, part.digest, part.size or 0, file) as source,
        daemon.connected() as connection,
    ):
        send(connection, command, options, _pieces(source, part.digest))


def _pieces(source: ByteSource, digest: Digest) -> Iterator[bytes]:
    return iter(lambda: read_piece(source, digest), b"")


def _show(taken: Sequence[Taken], quiet: bool, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"images": [*map(attrs.asdict, taken)]}, indent=2))
        return
    for image in taken:
        if image.failure:
            click.echo(f"{image.image}: {image.failure}", err=True)
        elif not quiet:
            click.echo("".join(import_lines(image)))


def import_lines(image: Taken) -> Iterator[str]:
    """Write what was done for one image (pure)."""
    yield f"{image.image}: {image.parts} parts, {image.sent} sent"
    yield f" ({human_size(image.sent_bytes)})"
    if image.kept:
        yield "; its tag was confirmed later than this, and stays as it was"
