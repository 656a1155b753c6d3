"""Contracts for layouts on a disk; what they do blocks."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterable, Sequence
from typing import BinaryIO, Protocol

import attrs

from txregistry.ocilayout.index import IndexEntry, LayoutError
from txregistry.spec.digest import Digest, IncrementalHash
from txregistry.spec.errors import DigestInvalid

#: Bytes that are read and written at once.
CHUNK_BYTES = 256 * 1024


class ByteSource(Protocol):
    """Bytes that are read once."""

    def read(self, size: int = -1, /) -> bytes:
        """Return so many bytes; fewer at the end only."""


class LayoutReader(Protocol):
    """A layout that is read."""

    def entries(self) -> list[IndexEntry]:
        """Return the manifests that its index names.

        :raise LayoutError: it is no layout.
        """

    def size_of(self, digest: Digest) -> int | None:
        """Return the size of a blob or manifest in bytes; ``None`` if it lacks it."""

    def open(self, digest: Digest) -> BinaryIO:
        """Open a blob or manifest that it has, to be closed by the caller."""

    def digests(self) -> Iterable[Digest]:
        """Give what it has, in no order."""

    def close(self) -> None:
        """Close what is held open."""


class LayoutWriter(Protocol):
    """A layout that is written; nothing of it counts until it is finished."""

    def has(self, digest: Digest, size: int) -> bool:
        """Return whether it has a blob or manifest already."""

    def add(self, digest: Digest, size: int, source: ByteSource) -> None:
        """Add one.

        :raise LayoutError: the source ends early, or does not match the digest.
        :raise OSError: it cannot be written.
        """

    def finish(self, entries: Sequence[IndexEntry]) -> None:
        """Name images in the index, and make everything durable.

        :raise OSError: it cannot be written.
        """

    def abandon(self) -> None:
        """Delete what is half-written; does nothing after ``finish``."""


def read_piece(source: ByteSource, digest: Digest, size: int = CHUNK_BYTES) -> bytes:
    """Read a piece of a blob or manifest; none at the end.

    :raise LayoutError: it cannot be read.
    """
    try:
        return source.read(size)
    except (OSError, tarfile.TarError) as error:
        raise LayoutError(f"{digest} cannot be read: {error}") from error


def path_of(digest: Digest) -> str:
    """Return the path of a blob or manifest within a layout."""
    return f"blobs/{digest.algorithm}/{digest.hex}"


def digest_at(path: str) -> Digest | None:
    """Return what lies at a path within a layout; ``None`` if it is something else."""
    head, _, name = path.rpartition("/")
    try:
        digest = Digest.parse(f"{head.removeprefix('blobs/')}:{name}")
    except DigestInvalid:
        return None
    return digest if path_of(digest) == path else None


@attrs.define(eq=False)
class Verified:
    """A source whose bytes are hashed as they are read.

    :param size: how many have to come.
    """

    _source: ByteSource
    _digest: Digest
    _left: int
    _hasher: IncrementalHash = attrs.field(init=False)

    @_hasher.default
    def _make_hasher(self) -> IncrementalHash:
        return hashlib.new(self._digest.algorithm)

    def read(self, size: int = -1, /) -> bytes:
        """Return up to so many bytes; none at the end.

        :raise LayoutError: they end early.
        """
        wanted = min(self._left, CHUNK_BYTES if size < 0 else size)
        data = self._source.read(wanted) if wanted else b""
        self._hasher.update(data)
        self._left -= len(data)
        if len(data) < wanted:
            raise LayoutError(f"{self._digest}: {self._left} bytes are missing")
        return data

    def check(self) -> None:
        """Check what was read.

        :raise LayoutError: it does not match the digest.
        """
        if self._left or not self._digest.matches(self._hasher):
            raise LayoutError(f"{self._digest}: the content does not match its digest")
