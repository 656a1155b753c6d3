"""One file of a journal: a head, and records after it; blocking, for a thread."""

from __future__ import annotations

import errno
import os
import struct
import zlib
from collections.abc import Sequence

import attrs

from txregistry.storagedriver.filesystem.atomic import write_all
from txregistry.storagedriver.filesystem.journal.records import (
    SALT_BYTES,
    Delete,
    JournalUnreadable,
    ReplayResult,
    Step,
    decode,
    encode,
    upwards,
)

#: Bytes at which writing switches to the other segment.
SEGMENT_BYTES = 4 * 1024 * 1024

#: Checksum of all that follows, magic, version, whether it counts, epoch, boot, salt.
_HEAD = struct.Struct(f">I4sB?Q36s{SALT_BYTES}s")
_HEAD_BYTES = 512
_MAGIC, _VERSION = b"txrj", 2

_ZEROS = bytes(256 * 1024)

#: Errors of a full file system, and of a limit on the size of files.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@attrs.define(eq=False)
class Segment:
    """A file that is overwritten, so that a record needs no new blocks.

    :ivar epoch: of its records; each use has a higher one.
    :ivar boot: boot id of the kernel under which they were written; empty if the
        kernel's view of the files is not to be trusted.
    :ivar counts: its records must be replayed after a power failure.
    """

    path: str
    epoch: int = 0
    boot: str = ""
    counts: bool = False
    _salt: bytes = b""
    _end: int = _HEAD_BYTES
    _descriptor: int = -1
    _put: set[str] = attrs.field(factory=set)
    _deleted: set[str] = attrs.field(factory=set)

    def open(self) -> None:
        """Open the file, and read its head; an incomplete head was never valid.

        :raise JournalUnreadable: it was written by another version.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        self._descriptor = os.open(self.path, flags, 0o600)
        self._end = max(_HEAD_BYTES, os.fstat(self._descriptor).st_size)
        head = os.pread(self._descriptor, _HEAD.size, 0)
        if len(head) == _HEAD.size:
            self._take(head)
        self._reserve()

    def _take(self, head: bytes) -> None:
        checksum, magic, version, counts, epoch, boot, salt = _HEAD.unpack(head)
        if magic == _MAGIC and version != _VERSION:
            raise JournalUnreadable(f"{self.path} is of version {version}")
        if zlib.crc32(head[4:]) == checksum:
            self.counts, self.epoch, self._salt = counts, epoch, salt
            self.boot = boot.rstrip(b"\0").decode("ascii")

    def _reserve(self) -> None:
        """Allocate the file at full length, if there is room.

        A sync takes twice as long after a write that extends the file.
        """
        size = os.fstat(self._descriptor).st_size
        if size >= SEGMENT_BYTES:
            return
        try:
            for offset in range(size, SEGMENT_BYTES, len(_ZEROS)):
                zeros = _ZEROS[: SEGMENT_BYTES - offset]
                write_all(self._descriptor, zeros, offset)
            os.fdatasync(self._descriptor)
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            os.ftruncate(self._descriptor, size)

    def read(self) -> ReplayResult:
        """Give the records written since it was begun.

        A record whose sync failed is seen only by another process.
        """
        size = self._end - _HEAD_BYTES
        told = decode(os.pread(self._descriptor, size, _HEAD_BYTES), self._salt)
        self._end = _HEAD_BYTES + told.end
        return told

    @property
    def is_full(self) -> bool:
        """Tell whether the segment is full."""
        return self._end >= SEGMENT_BYTES

    def speaks_of(self, path: str) -> bool:
        """Tell whether its records decide about a path."""
        if not self.counts:
            return False
        deleted = self._deleted
        return path in self._put or any(above in deleted for above in upwards(path))

    def begin(self, epoch: int, boot: str) -> None:
        """Begin to overwrite it; durable with the first record."""
        salt = os.urandom(SALT_BYTES)
        self._write_head(True, epoch, boot, salt)
        self.epoch, self.boot, self._salt = epoch, boot, salt
        self._end = _HEAD_BYTES
        self._put, self._deleted = set(), set()
        self.counts = True

    def append(self, steps: Sequence[Step], now: float) -> None:
        """Write a record, and wait until it is durable.

        :param now: Unix time.
        :raise OSError: the record may be durable or not; the next one overwrites it.
        """
        for step in steps:
            (self._deleted if isinstance(step, Delete) else self._put).add(step.path)
        record = encode(steps, self._salt, now)
        write_all(self._descriptor, record, self._end)
        os.fdatasync(self._descriptor)
        self._end += len(record)

    def invalidate(self) -> None:
        """Mark its records as to be replayed, whichever kernel runs.

        Not synced: only a start under this kernel needs to know.
        """
        self._write_head(self.counts, self.epoch, "", self._salt)
        self.boot = ""

    def end(self) -> None:
        """Mark its records as void.

        :raise OSError: the mark is not durable; the records stay valid.
        """
        if os.fstat(self._descriptor).st_size:
            self._write_head(False, self.epoch, self.boot, self._salt)
            os.fdatasync(self._descriptor)
        # Otherwise it was never written, perhaps for lack of room.
        self.counts = False

    def close(self) -> None:
        """Close the file."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _write_head(self, counts: bool, epoch: int, boot: str, salt: bytes) -> None:
        fields = (_MAGIC, _VERSION, counts, epoch, boot.encode("ascii"), salt)
        checked = _HEAD.pack(0, *fields)[4:]
        head = struct.pack(">I", zlib.crc32(checked)) + checked
        write_all(self._descriptor, head, 0)
