"""Steps as bytes, for a journal, and what they come to; pure.

A record holds the steps of one or more commits. Its checksum says that it is whole,
its epoch that it belongs to this use of the file: journals are written over.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence

import attrs

from txregistry.interfaces.driver import PutFile

#: Checksum of all that follows, length of the steps, epoch.
_HEAD = struct.Struct(">IIQ")

#: Kind, length of the path, length of the content.
_STEP = struct.Struct(">BII")


@attrs.frozen
class Delete:
    """Delete a file, or a directory with all below it."""

    path: str


@attrs.frozen
class Settled:
    """A path is what it should be, and safe: no earlier step counts any more."""

    path: str


#: What a journal remembers.
Step = PutFile | Delete | Settled

_KINDS: tuple[type[Step], ...] = (PutFile, Delete, Settled)


def encode(steps: Iterable[Step], epoch: int) -> bytes:
    """Give the record of some steps."""
    parts: list[bytes] = []
    for step in steps:
        path = step.path.encode("utf-8", "surrogateescape")
        content = step.content if isinstance(step, PutFile) else b""
        head = _STEP.pack(_KINDS.index(type(step)), len(path), len(content))
        parts += (head, path, content)
    body = b"".join(parts)
    head = _HEAD.pack(0, len(body), epoch)[4:]
    return struct.pack(">I", zlib.crc32(body, zlib.crc32(head))) + head + body


def decode(data: bytes, epoch: int) -> Iterator[Step]:
    """Give the steps of all records of an epoch, up to the first that is not whole."""
    offset = 0
    while len(data) - offset >= _HEAD.size:
        checksum, length, found = _HEAD.unpack_from(data, offset)
        end = offset + _HEAD.size + length
        if found != epoch or zlib.crc32(data[offset + 4 : end]) != checksum:
            return
        yield from _steps(data, offset + _HEAD.size, end)
        offset = end


def _steps(data: bytes, offset: int, end: int) -> Iterator[Step]:
    while offset < end:
        kind, path_length, content_length = _STEP.unpack_from(data, offset)
        offset += _STEP.size
        path = data[offset : offset + path_length].decode("utf-8", "surrogateescape")
        offset += path_length
        if _KINDS[kind] is PutFile:
            yield PutFile(path, data[offset : offset + content_length])
        else:
            yield Delete(path) if _KINDS[kind] is Delete else Settled(path)
        offset += content_length


@attrs.frozen
class Outcome:
    """What steps come to, whichever of them had reached the disk.

    :ivar deleted: paths at and below which only what is in ``files`` stays.
    :ivar files: the content that a path should have; ``None`` for the one it has.
    """

    deleted: Sequence[str]
    files: dict[str, bytes | None]


def last_words(steps: Iterable[Step]) -> Outcome:
    """Let the last step that speaks of a path decide about it."""
    deleted: dict[str, int] = {}
    files: dict[str, tuple[int, bytes | None]] = {}
    for number, step in enumerate(steps):
        if isinstance(step, Delete):
            deleted[step.path] = number
        else:
            content = step.content if isinstance(step, PutFile) else None
            files[step.path] = (number, content)
    return Outcome(
        tuple(deleted),
        {
            path: content
            for path, (number, content) in files.items()
            if not any(deleted.get(above, -1) > number for above in _upwards(path))
        },
    )


def _upwards(path: str) -> Iterator[str]:
    """Give a path and all directories above it."""
    while path:
        yield path
        path = path.rpartition("/")[0]
