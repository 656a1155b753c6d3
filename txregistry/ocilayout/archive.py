"""Layouts as tars."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, cast

import attrs

from txregistry.ocilayout.directory import Replacing
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
    ByteSource,
    Verified,
    digest_at,
    path_of,
)
from txregistry.spec.digest import Digest

#: Members of a tar that are looked at, at most.
MAX_MEMBERS = 100_000

#: Bytes of a long name, or of attributes, of one of them.
MAX_HEADER_BYTES = 64 * 1024

_EXTENSIONS = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)


class BoundedInfo(tarfile.TarInfo):
    """A member whose head does not take all memory; sparse ones are refused."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> BoundedInfo:
        """Read a head; see :class:`tarfile.TarInfo`."""
        found = super().frombuf(buf, encoding, errors)
        is_long = found.type in _EXTENSIONS and found.size > MAX_HEADER_BYTES
        if is_long or found.type == tarfile.GNUTYPE_SPARSE:
            raise tarfile.ReadError("a member's head is too long, or it is sparse")
        return found


@attrs.define(eq=False)
class ArchiveReader:
    """A layout in a tar that is not compressed: its layers are, mostly.

    :raise LayoutError: it is no such file.
    """

    _path: Path
    _tar: tarfile.TarFile = attrs.field(init=False)
    _members: dict[str, tarfile.TarInfo] = attrs.field(init=False)

    @_tar.default
    def _open_tar(self) -> tarfile.TarFile:
        try:
            return tarfile.open(self._path, "r:", tarinfo=BoundedInfo)
        except (OSError, ValueError, tarfile.TarError) as error:
            reason = f"{self._path} is no tar, or a compressed one: {error}"
            raise LayoutError(reason) from error

    @_members.default
    def _read_members(self) -> dict[str, tarfile.TarInfo]:
        found: dict[str, tarfile.TarInfo] = {}
        try:
            for number, member in enumerate(self._tar, 1):
                if number > MAX_MEMBERS:
                    reason = f"has more than {MAX_MEMBERS} members"
                    raise LayoutError(f"{self._path} {reason}")
                if member.isreg():
                    found[member.name.removeprefix("./")] = member
        except (OSError, ValueError, tarfile.TarError) as error:
            # tarfile raises a ValueError for attributes that make no sense.
            raise LayoutError(f"{self._path}: {error}") from error
        return found

    def entries(self) -> list[IndexEntry]:
        """Return the manifests that its index names."""
        member = self._members.get(INDEX)
        if member is None:
            raise LayoutError(f"{self._path} is no OCI image layout: no {INDEX}")
        if member.size > MAX_INDEX_BYTES:
            raise LayoutError(f"{INDEX} is longer than {MAX_INDEX_BYTES} bytes")
        with self._extract(member) as file:
            return parse_index(file.read())

    def size_of(self, digest: Digest) -> int | None:
        """Return the size of what it has."""
        member = self._members.get(path_of(digest))
        return None if member is None else member.size

    def open(self, digest: Digest) -> BinaryIO:
        """Open what it has."""
        return self._extract(self._members[path_of(digest)])

    def digests(self) -> Iterable[Digest]:
        """Give what it has."""
        return filter(None, map(digest_at, self._members))

    def close(self) -> None:
        """Close the tar."""
        self._tar.close()

    def _extract(self, member: tarfile.TarInfo) -> BinaryIO:
        return cast(BinaryIO, self._tar.extractfile(member))


@attrs.define(eq=False)
class ArchiveWriter:
    """A layout that becomes a tar, which appears when it is whole.

    :param path: of the tar; one that is there is replaced.
    """

    _path: Path
    _added: set[Digest] = attrs.field(factory=set)
    _file: Replacing = attrs.field(init=False)
    _tar: tarfile.TarFile | None = None

    @_file.default
    def _make_file(self) -> Replacing:
        return Replacing(
            self._path, self._path.with_name(f".{self._path.name}.partial")
        )

    def has(self, digest: Digest, size: int) -> bool:
        """Return whether it was added."""
        return digest in self._added

    def add(self, digest: Digest, size: int, source: ByteSource) -> None:
        """Add a blob or manifest."""
        verified = Verified(source, digest, size)
        self._put(path_of(digest), size, verified)
        verified.check()
        self._added.add(digest)

    def finish(self, entries: Sequence[IndexEntry]) -> None:
        """Name images in the index, and let the tar appear."""
        content = index_content(merged([], entries))
        for name, text in ((INDEX, content), (MARKER, MARKER_CONTENT)):
            self._put(name, len(text), io.BytesIO(text))
        self._opened().close()
        self._tar = None
        self._file.commit()

    def abandon(self) -> None:
        """Delete what is half-written."""
        tar, self._tar = self._tar, None
        if tar is not None:
            with suppress(OSError):  # it may be the disk that is full
                tar.close()
            self._file.discard()

    def _put(self, name: str, size: int, source: ByteSource) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mode = size, 0o644
        self._opened().addfile(member, cast(BinaryIO, source))

    def _opened(self) -> tarfile.TarFile:
        if self._tar is None:
            self._tar = tarfile.TarFile(fileobj=self._file.open(), mode="w")
        return self._tar
