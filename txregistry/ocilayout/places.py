"""Where a layout lies: a directory, or a tar."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from txregistry.ocilayout.archive import ArchiveReader, ArchiveWriter
from txregistry.ocilayout.directory import LayoutDirectory
from txregistry.ocilayout.index import LayoutError
from txregistry.ocilayout.layout import LayoutReader, LayoutWriter
from txregistry.spec.digest import Digest
from txregistry.spec.errors import DigestInvalid


def open_layout(path: str) -> LayoutReader:
    """Open a layout, to be closed by the caller.

    :raise LayoutError: it is none.
    """
    place = Path(path)
    return ArchiveReader(place) if place.is_file() else LayoutDirectory(place)


def begin_layout(path: str) -> LayoutWriter:
    """Begin a layout: a tar if its name ends so, else a directory to be added to.

    :raise LayoutError: something else lies there.
    """
    place = Path(path)
    if place.suffix == ".tar" and not place.is_dir():
        return ArchiveWriter(place)
    if place.exists() and not place.is_dir():
        raise LayoutError(f"{path} is no directory, and no tar by its name")
    layout = LayoutDirectory(place)
    if layout.has_index:
        layout.entries()  # a damaged one is told before anything is written
    return layout


def digests_in(path: str) -> set[Digest]:
    """Return what another registry has: what is in a layout, or listed in a file.

    :raise LayoutError: it is neither.
    """
    place = Path(path)
    if place.is_dir() or place.suffix == ".tar":
        with closing(open_layout(path)) as layout:
            return set(layout.digests())
    try:
        with open(place, encoding="utf-8", errors="replace") as lines:
            return _listed(path, lines)
    except OSError as error:
        raise LayoutError(f"{path}: {error.strerror}") from error


def _listed(path: str, lines: Iterable[str]) -> set[Digest]:
    """Read a list: the first word of each line is a digest; ``#`` begins a comment."""
    found = set()
    for number, line in enumerate(lines, 1):
        words = line.partition("#")[0].split()
        if words:
            try:
                found.add(Digest.parse(words[0]))
            except DigestInvalid as error:
                reason = f"line {number}: {words[0]!r} is no digest"
                raise LayoutError(f"{path}: {reason}") from error
    return found
