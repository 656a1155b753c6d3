"""One file of a journal: a head, and records after it; blocking, for a thread."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterable, Iterator

import attrs

from txregistry.storagedriver.changes import write_all
from txregistry.storagedriver.records import Step, decode, encode

#: A segment that has grown to this is left for the other.
SEGMENT_BYTES = 4 * 1024 * 1024

#: Checksum of all that follows, magic, version, whether records count, epoch, boot.
_HEAD = struct.Struct(">I4sB?Q36s")
_HEAD_BYTES = 512
_MAGIC, _VERSION = b"txrj", 1


class JournalUnreadable(Exception):
    """A journal was written by another version, which alone knows what it says."""


@attrs.define(eq=False)
class Segment:
    """A file that is written over, so that it costs no new blocks.

    :ivar epoch: of the records that are in it; each use has a higher one.
    :ivar boot: names the run of the kernel that they were written in.
    :ivar counts: what is in it has to be made good after a power failure.
    """

    path: str
    epoch: int = 0
    boot: str = ""
    counts: bool = False
    _end: int = _HEAD_BYTES
    _descriptor: int = -1

    def open(self) -> None:
        """Open the file, and read its head.

        :raise JournalUnreadable: it is of another version.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        self._descriptor = os.open(self.path, flags, 0o600)
        head = os.pread(self._descriptor, _HEAD.size, 0)
        if len(head) == _HEAD.size and zlib.crc32(head[4:]) == _HEAD.unpack(head)[0]:
            _, magic, version, self.counts, self.epoch, boot = _HEAD.unpack(head)
            self.boot = boot.rstrip(b"\0").decode("ascii")
            if (magic, version) != (_MAGIC, _VERSION):
                raise JournalUnreadable(f"{self.path} is of version {version}")

    def steps(self) -> Iterator[Step]:
        """Give what was written in this epoch."""
        size = os.fstat(self._descriptor).st_size
        return decode(os.pread(self._descriptor, size, _HEAD_BYTES), self.epoch)

    @property
    def is_full(self) -> bool:
        """Tell whether no more should be written."""
        return self._end >= SEGMENT_BYTES

    def begin(self, epoch: int, boot: str) -> None:
        """Begin to write over what was in it; safe with the first record."""
        self._write_head(True, epoch, boot)
        self._end = _HEAD_BYTES

    def append(self, steps: Iterable[Step]) -> None:
        """Write a record, and wait until it is safe.

        :raise OSError: it is not; the next one takes its place.
        """
        record = encode(steps, self.epoch)
        os.lseek(self._descriptor, self._end, os.SEEK_SET)
        write_all(self._descriptor, record)
        os.fdatasync(self._descriptor)
        self._end += len(record)

    def end(self) -> None:
        """Say that nothing in it counts any more."""
        self._write_head(False, self.epoch, self.boot)
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        """Close the file."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _write_head(self, counts: bool, epoch: int, boot: str) -> None:
        fields = (_MAGIC, _VERSION, counts, epoch, boot.encode("ascii"))
        checked = _HEAD.pack(0, *fields)[4:]
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        write_all(self._descriptor, struct.pack(">I", zlib.crc32(checked)) + checked)
        self.counts, self.epoch, self.boot = counts, epoch, boot
