"""Steps as bytes, for a journal, and their combined result; pure.

A record holds the steps of one or more commits. Its checksum shows that it is whole,
its salt that it belongs to this use of the file. Journals are overwritten and hold
content from clients; as a salt is secret before it is used, no client can forge a
record.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence

import attrs

from txregistry.interfaces.driver import PutFile

#: Bytes of a salt.
SALT_BYTES = 16

#: Checksum of all that follows, length of the steps, when (Unix time), salt.
_HEAD = struct.Struct(f">IId{SALT_BYTES}s")
_SALT_OFFSET = 16

#: Kind, length of the path, length of the content.
_STEP = struct.Struct(">BII")


class JournalUnreadable(Exception):
    """A journal was written by another version, and cannot be read."""


@attrs.frozen
class Delete:
    """Delete a file, or a directory with all below it."""

    path: str


#: A change that a journal records.
Step = PutFile | Delete

_KINDS: tuple[type[Step], ...] = (PutFile, Delete)


def encode(steps: Iterable[Step], salt: bytes, now: float) -> bytes:
    """Give the record of some steps."""
    parts: list[bytes] = []
    for step in steps:
        path = step.path.encode("utf-8", "surrogateescape")
        content = step.content if isinstance(step, PutFile) else b""
        head = _STEP.pack(_KINDS.index(type(step)), len(path), len(content))
        parts += (head, path, content)
    body = b"".join(parts)
    head = _HEAD.pack(0, len(body), now, salt)[4:]
    return struct.pack(">I", zlib.crc32(body, zlib.crc32(head))) + head + body


@attrs.frozen
class ReplayResult:
    """The contents of a journal.

    :ivar until: when the last record was written; 0 if there is none.
    :ivar end: offset in bytes of the end of the last record.
    :ivar is_damaged: an earlier record cannot be read.
    """

    steps: Sequence[Step] = attrs.field(factory=list)
    until: float = 0.0
    end: int = 0
    is_damaged: bool = False


def decode(data: bytes, salt: bytes) -> ReplayResult:
    """Read all records with a salt that are whole.

    :raise JournalUnreadable: a step is of an unknown kind.
    """
    steps: list[Step] = []
    end, until, is_damaged = 0, 0.0, False
    for start, stop, when in _records(data, salt):
        is_damaged = is_damaged or start != end
        steps += _steps(data, start + _HEAD.size, stop)
        end, until = stop, when
    return ReplayResult(steps, until, end, is_damaged)


def _records(data: bytes, salt: bytes) -> Iterator[tuple[int, int, float]]:
    """Give the bounds of each whole record, and when it was written."""
    offset = 0
    while (found := data.find(salt, offset + _SALT_OFFSET)) >= 0:
        start = found - _SALT_OFFSET
        checksum, length, when, _ = _HEAD.unpack_from(data, start)
        stop = start + _HEAD.size + length
        if stop <= len(data) and zlib.crc32(data[start + 4 : stop]) == checksum:
            yield start, stop, when
            offset = stop
        else:
            offset = start + 1


def _steps(data: bytes, offset: int, end: int) -> Iterator[Step]:
    while offset < end:
        kind, path_length, content_length = _STEP.unpack_from(data, offset)
        offset += _STEP.size
        path = data[offset : offset + path_length].decode("utf-8", "surrogateescape")
        offset += path_length
        yield _step(kind, path, data[offset : offset + content_length])
        offset += content_length


def _step(kind: int, path: str, content: bytes) -> Step:
    if kind >= len(_KINDS):
        raise JournalUnreadable(f"unknown kind of step: {kind}")
    return PutFile(path, content) if _KINDS[kind] is PutFile else Delete(path)


@attrs.frozen
class Outcome:
    """The result of steps, whichever of them had reached the disk.

    :ivar deleted: paths at and below which only files in ``files`` stay.
    :ivar files: the content that each path should have.
    """

    deleted: Sequence[str]
    files: dict[str, bytes]


def fold(steps: Iterable[Step]) -> Outcome:
    """Combine steps: the last one about a path decides."""
    deleted: dict[str, int] = {}
    files: dict[str, tuple[int, bytes]] = {}
    for number, step in enumerate(steps):
        if isinstance(step, Delete):
            deleted[step.path] = number
        else:
            files[step.path] = (number, step.content)
    return Outcome(
        tuple(deleted),
        {
            path: content
            for path, (number, content) in files.items()
            if not any(deleted.get(above, -1) > number for above in upwards(path))
        },
    )


def upwards(path: str) -> Iterator[str]:
    """Give a path and all directories above it."""
    while path:
        yield path
        path = path.rpartition("/")[0]
