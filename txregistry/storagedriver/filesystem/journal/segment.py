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

#: A segment that has grown to this is left for the other.
SEGMENT_BYTES = 4 * 1024 * 1024

#: Checksum of all that follows, magic, version, whether it counts, epoch, boot, salt.
_HEAD = struct.Struct(f">I4sB?Q36s{SALT_BYTES}s")
_HEAD_BYTES = 512
_MAGIC, _VERSION = b"txrj", 2

_ZEROS = bytes(256 * 1024)

#: What a file system says that is full, and a process whose files are limited hears.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@attrs.define(eq=False)
class Segment:
    """A file that is written over, so that a record needs no new blocks.

    :ivar epoch: of the records that are in it; each use has a higher one.
    :ivar boot: names the run of the kernel that they were written in; empty if what
        the kernel says of the files is not to be believed.
    :ivar counts: what is in it has to be made good after a power failure.
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
        """Open the file, and read its head; one that is not whole never counted.

        :raise JournalUnreadable: it is of another version.
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
        """Make the file as long as it will be, if there is room for that.

        To wait for what makes a file longer takes twice as long as for what does not.
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
        """Give what was written since it was begun.

        A record that could not be made safe is only read by who has not written it.
        """
        size = self._end - _HEAD_BYTES
        told = decode(os.pread(self._descriptor, size, _HEAD_BYTES), self._salt)
        self._end = _HEAD_BYTES + told.end
        return told

    @property
    def is_full(self) -> bool:
        """Tell whether no more should be written."""
        return self._end >= SEGMENT_BYTES

    def speaks_of(self, path: str) -> bool:
        """Tell whether what is in it decides about a path."""
        if not self.counts:
            return False
        deleted = self._deleted
        return path in self._put or any(above in deleted for above in upwards(path))

    def begin(self, epoch: int, boot: str) -> None:
        """Begin to write over what was in it; safe with the first record."""
        salt = os.urandom(SALT_BYTES)
        self._write_head(True, epoch, boot, salt)
        self.epoch, self.boot, self._salt = epoch, boot, salt
        self._end = _HEAD_BYTES
        self._put, self._deleted = set(), set()
        self.counts = True

    def append(self, steps: Sequence[Step], now: float) -> None:
        """Write a record, and wait until it is safe.

        :param now: Unix time.
        :raise OSError: it may be or not; the next one takes its place.
        """
        for step in steps:
            (self._deleted if isinstance(step, Delete) else self._put).add(step.path)
        record = encode(steps, self._salt, now)
        write_all(self._descriptor, record, self._end)
        os.fdatasync(self._descriptor)
        self._end += len(record)

    def invalidate(self) -> None:
        """Say that what is in it is to be made good whichever kernel runs.

        Only whoever starts under this kernel has to know: it is not synced.
        """
        self._write_head(self.counts, self.epoch, "", self._salt)
        self.boot = ""

    def end(self) -> None:
        """Say that nothing in it counts any more.

        :raise OSError: that is not safe; it does still.
        """
        if os.fstat(self._descriptor).st_size:
            self._write_head(False, self.epoch, self.boot, self._salt)
            os.fdatasync(self._descriptor)
        # Else nothing was ever written, perhaps for want of room.
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
