"""Open files of the file system, read at offsets."""

from __future__ import annotations

import os

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IConsumer
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.flow.disk import Disk
from txregistry.flow.sendfile import (
    READ_AHEAD_BYTES,
    is_in_memory,
    offer_file,
    takes_files,
)
from txregistry.flow.streams import ChunkProducer
from txregistry.interfaces.files import IFileReader

#: Of a file that is not in memory, a thread reads so much before any is sent.
_FIRST_BYTES = 256 * 1024


@implementer(IFileReader)
@attrs.define(eq=False)
class FileReader:
    """An open file; what the page cache holds is read without leaving the thread."""

    _disk: Disk
    _descriptor: int
    size: int

    def read(
        self, consumer: IConsumer, offset: int = 0, size: int | None = None
    ) -> Deferred[None]:
        """Push bytes into a consumer; see :class:`IFileReader`."""
        remaining = max(0, self.size - offset) if size is None else size
        if remaining <= 0 or not takes_files(consumer):
            return self._push(consumer, offset, remaining)
        if is_in_memory(self._descriptor, offset):
            return self._push(consumer, offset, remaining)
        return self._push_when_read(consumer, offset, remaining)

    @deferred
    async def _push_when_read(
        self, consumer: IConsumer, offset: int, size: int
    ) -> None:
        # The first after a push, or in a long time: a thread waits for the disk, and
        # not everybody else.
        duplicate = os.dup(self._descriptor)
        await self._disk.run(_begin_reading, duplicate, offset, size)
        await self._push(consumer, offset, size)

    def _push(self, consumer: IConsumer, offset: int, remaining: int) -> Deferred[None]:
        sent = offer_file(consumer, self._descriptor, offset, remaining)
        if sent is not None:
            return sent
        return ChunkProducer(self._chunk, consumer, offset, remaining).start()

    def close(self) -> None:
        """Close the file, once."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _chunk(self, offset: int, size: int) -> Deferred[bytes]:
        buffer = bytearray(size)
        try:
            count = os.preadv(self._descriptor, [buffer], offset, os.RWF_NOWAIT)
        except OSError:
            # Not in memory, or a file system without this: let a thread wait. It
            # reads from a duplicate, since the reader may be closed meanwhile.
            duplicate = os.dup(self._descriptor)
            return self._disk.run(_read_and_close, duplicate, size, offset)
        return succeed(bytes(memoryview(buffer)[:count]))


def _begin_reading(descriptor: int, offset: int, size: int) -> None:
    """Have the beginning in memory, and what follows on its way; close."""
    try:
        ahead = min(size, READ_AHEAD_BYTES)
        os.posix_fadvise(descriptor, offset, ahead, os.POSIX_FADV_WILLNEED)
        os.pread(descriptor, min(size, _FIRST_BYTES), offset)
    finally:
        os.close(descriptor)


def _read_and_close(descriptor: int, size: int, offset: int) -> bytes:
    try:
        return os.pread(descriptor, size, offset)
    finally:
        os.close(descriptor)
