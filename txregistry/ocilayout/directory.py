"""Layouts as directories."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from errno import EINVAL
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO

import attrs

from txregistry.ocilayout.index import (
    INDEX,
    MARKER,
    MARKER_CONTENT,
    MAX_INDEX_BYTES,
    IndexEntry,
    LayoutError,
    index_content,
    merged,
    parse_index,
)
from txregistry.ocilayout.layout import (
    CHUNK_BYTES,
    ByteSource,
    Verified,
    digest_at,
    path_of,
)
from txregistry.spec.digest import Digest


@attrs.frozen
class LayoutDirectory:
    """A layout in a directory; it can be read and added to.

    What is added lies under a name of its own until it is whole and synced: a medium
    that is pulled out loses no more than that, and the next export goes on from there.

    Who carried it may have put anything there: only regular files are read, and nothing
    is written through a link.
    """

    _root: Path

    @property
    def has_index(self) -> bool:
        """Return whether it names images already."""
        return os.path.lexists(self._root / INDEX)

    def entries(self) -> list[IndexEntry]:
        """Return the manifests that its index names."""
        try:
            with _open_regular(self._root / INDEX) as file:
                content = file.read(MAX_INDEX_BYTES + 1)
        except OSError as error:
            reason = f"{self._root} is no OCI image layout: {error.strerror}"
            raise LayoutError(reason) from error
        if len(content) > MAX_INDEX_BYTES:
            raise LayoutError(f"{INDEX} is longer than {MAX_INDEX_BYTES} bytes")
        return parse_index(content)

    def size_of(self, digest: Digest) -> int | None:
        """Return the size of what it has."""
        try:
            found = (self._root / path_of(digest)).lstat()
        except OSError:
            return None
        return found.st_size if S_ISREG(found.st_mode) else None

    def open(self, digest: Digest) -> BinaryIO:
        """Open what it has."""
        try:
            return _open_regular(self._root / path_of(digest))
        except OSError as error:
            reason = f"{digest} cannot be read: {error.strerror}"
            raise LayoutError(reason) from error

    def digests(self) -> Iterator[Digest]:
        """Give what it has."""
        for path in (self._root / "blobs").glob("*/*"):
            found = digest_at(path.relative_to(self._root).as_posix())
            if found is not None:
                yield found

    def close(self) -> None:
        """Do nothing: nothing is held open."""

    def has(self, digest: Digest, size: int) -> bool:
        """Return whether it has something already, whole."""
        return self.size_of(digest) == size

    def add(self, digest: Digest, size: int, source: ByteSource) -> None:
        """Add a blob or manifest."""
        path, verified = self._root / path_of(digest), Verified(source, digest, size)
        for parent in (path.parents[1], path.parent):
            if parent.is_symlink():
                raise LayoutError(f"{parent} is a link: nothing is written through it")
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._replacing(path).written() as file:
            while data := verified.read(CHUNK_BYTES):
                file.write(data)
            verified.check()

    def finish(self, entries: Sequence[IndexEntry]) -> None:
        """Name images in the index, beside those that it names already."""
        old = self.entries() if self.has_index else []
        self._root.mkdir(parents=True, exist_ok=True)
        self._write(MARKER, MARKER_CONTENT)
        self._write(INDEX, index_content(merged(old, entries)))

    def abandon(self) -> None:
        """Do nothing: what is whole is kept for the next time."""

    def _write(self, name: str, content: bytes) -> None:
        with self._replacing(self._root / name).written() as file:
            file.write(content)

    def _replacing(self, path: Path) -> Replacing:
        return Replacing(path, self._root / f".{path.name}.partial")


@attrs.define(eq=False)
class Replacing:
    """A file that takes the place of another one when it is whole and synced.

    :param partial: where it lies until then, on the same file system.
    """

    _path: Path
    _partial: Path
    _file: BinaryIO | None = None

    def open(self) -> BinaryIO:
        """Begin it."""
        # Not through a link that somebody has put there.
        self._partial.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._file = os.fdopen(os.open(self._partial, flags, 0o666), "wb")
        return self._file

    def commit(self) -> None:
        """Let it take its place."""
        assert self._file is not None
        try:
            with self._file as file:
                file.flush()
                os.fsync(file.fileno())
            os.replace(self._partial, self._path)
        except OSError:
            self._partial.unlink(missing_ok=True)
            raise
        sync_directory(self._path.parent)

    def discard(self) -> None:
        """Delete what was written."""
        assert self._file is not None
        with suppress(OSError):  # it may be the disk that is full
            self._file.close()
        self._partial.unlink(missing_ok=True)

    @contextmanager
    def written(self) -> Iterator[BinaryIO]:
        """Have it written: committed at the end, discarded if that fails."""
        file = self.open()
        try:
            yield file
        except BaseException:
            self.discard()
            raise
        self.commit()


def _open_regular(path: Path) -> BinaryIO:
    """Open a file that is one: a pipe would never end, and a device may do anything.

    :raise OSError: it cannot be opened, or is something else.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(path, flags)
    if not S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(EINVAL, "it is no regular file", str(path))
    return os.fdopen(descriptor, "rb")


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable, where its file system can."""
    found = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):  # such as EINVAL
            os.fsync(found)
    finally:
        os.close(found)
