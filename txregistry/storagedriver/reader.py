"""Open files of the file system, read at offsets."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import TypeVar

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
from txregistry.flow.streams import ChunkProducer, ShortRead
from txregistry.interfaces.files import IStoredFile
from txregistry.spec.digest import IncrementalHash

T = TypeVar("T")

#: Of a file that is not in memory, a thread reads so much before any is sent.
_FIRST_BYTES = 256 * 1024

#: So much is hashed in one go, in reads of so much: then others get the thread.
_HASHED_BYTES, _HASHED_READ = 16 * 1024 * 1024, 1024 * 1024


@implementer(IStoredFile)
@attrs.define(eq=False)
class FileReader:
    """An open file; what the page cache holds is read without leaving the thread."""

    _disk: Disk
    _descriptor: int
    size: int
    identity: str = ""

    def read(
        self, consumer: IConsumer, offset: int = 0, size: int | None = None
    ) -> Deferred[None]:
        """Push bytes into a consumer; see :class:`IStoredFile`."""
        remaining = max(0, self.size - offset) if size is None else size
        waits = remaining > 0 and takes_files(consumer)
        if waits and not is_in_memory(self._descriptor, offset):
            return self._push_when_read(consumer, offset, remaining)
        return self._push(consumer, offset, remaining)

    @deferred
    async def _push_when_read(
        self, consumer: IConsumer, offset: int, size: int
    ) -> None:
        # The first after a push, or in a long time, would have everybody wait.
        await self._on_thread(_begin_reading, size, offset)
        await self._push(consumer, offset, size)

    def _push(self, consumer: IConsumer, offset: int, remaining: int) -> Deferred[None]:
        sent = offer_file(consumer, self._descriptor, offset, remaining)
        if sent is not None:
            return sent
        return ChunkProducer(self._chunk, consumer, offset, remaining).start()

    @deferred
    async def hash(self, hasher: IncrementalHash, size: int) -> None:
        """Give the first bytes to a hash, on threads of the disk."""
        for offset in range(0, size, _HASHED_BYTES):
            wanted = min(_HASHED_BYTES, size - offset)
            count = await self._on_thread(partial(_hash, hasher), wanted, offset)
            if count < wanted:
                raise ShortRead(f"{size - offset - count} bytes are missing")

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
            # Not in memory, or a file system without this.
            return self._on_thread(os.pread, size, offset)
        return succeed(bytes(memoryview(buffer)[:count]))

    def _on_thread(
        self, work: Callable[[int, int, int], T], size: int, offset: int
    ) -> Deferred[T]:
        """Let a thread wait for the disk; the reader may be closed meanwhile."""
        duplicate = os.dup(self._descriptor)
        return self._disk.run(_do_and_close, duplicate, work, size, offset)


def _do_and_close(
    descriptor: int, work: Callable[[int, int, int], T], size: int, offset: int
) -> T:
    try:
        return work(descriptor, size, offset)
    finally:
        os.close(descriptor)


def _hash(hasher: IncrementalHash, descriptor: int, size: int, offset: int) -> int:
    """Hash a part of a file; give how many bytes of it there were."""
    done = 0
    while done < size:
        content = os.pread(descriptor, min(size - done, _HASHED_READ), offset + done)
        if not content:
            break
        hasher.update(content)
        done += len(content)
    return done


def _begin_reading(descriptor: int, size: int, offset: int) -> None:
    """Have the beginning in memory, and what follows on its way."""
    ahead = min(size, READ_AHEAD_BYTES)
    os.posix_fadvise(descriptor, offset, ahead, os.POSIX_FADV_WILLNEED)
    os.pread(descriptor, min(size, _FIRST_BYTES), offset)
