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
from txregistry.flow.sendfile import offer_file
from txregistry.flow.streams import CHUNK_BYTES, ChunkProducer, ShortRead
from txregistry.interfaces.files import IStoredFile
from txregistry.spec.digest import IncrementalHash
from txregistry.storagedriver.filesystem.atomic import read_whole
from txregistry.storagedriver.filesystem.stat import identity_of, open_file

T = TypeVar("T")

#: Files up to this size are read at once: link files and nearly all manifests.
_SMALL_BYTES = 64 * 1024

#: What ends before this is written with the head of its answer, in one system call.
_WRITTEN_BYTES = 64 * 1024

#: Bytes hashed before other work gets the thread, and bytes per read.
_HASHED_BYTES, _HASHED_READ = 16 * 1024 * 1024, 1024 * 1024

#: Filled and copied within one call; a new one would be cleared each time.
_BUFFER = memoryview(bytearray(CHUNK_BYTES))


@implementer(IStoredFile)
@attrs.define(eq=False)
class FileReader:
    """An open file; pages in the page cache are read without another thread."""

    _disk: Disk
    _descriptor: int
    size: int
    identity: str = ""

    def read(
        self, consumer: IConsumer, offset: int = 0, size: int | None = None
    ) -> Deferred[None]:
        """Push bytes into a consumer; see :class:`IStoredFile`."""
        remaining = max(0, self.size - offset) if size is None else size
        if offset + remaining > _WRITTEN_BYTES:
            sent = offer_file(consumer, self._descriptor, offset, remaining, self._warm)
            if sent is not None:
                return sent
        return ChunkProducer(self._chunk, consumer, offset, remaining).start()

    @deferred
    async def hash(self, hasher: IncrementalHash, size: int) -> None:
        """Feed the first bytes to a hash, on threads of the disk."""
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
        buffer = _BUFFER[:size]
        try:
            count = os.preadv(self._descriptor, [buffer], offset, os.RWF_NOWAIT)
        except OSError:
            # Not in the page cache, or not supported by the file system.
            return self._on_thread(os.pread, size, offset)
        return succeed(bytes(buffer[:count]))

    def _warm(self, size: int, offset: int, ahead: int) -> Deferred[None]:
        """Load a part of the file into memory, before the reactor sends it."""
        return self._on_thread(partial(_read_over, ahead), size, offset)

    def _on_thread(
        self, work: Callable[[int, int, int], T], size: int, offset: int
    ) -> Deferred[T]:
        """Wait for the disk in a thread; the reader may be closed meanwhile."""
        duplicate = os.dup(self._descriptor)
        return self._disk.run(_do_and_close, duplicate, work, size, offset)


def open_reader(path: str, disk: Disk) -> IStoredFile:
    """Open a file; takes no longer than to look at it.

    :raise OSError: it cannot be opened.
    """
    descriptor = open_file(path)
    found = os.fstat(descriptor)
    return FileReader(disk, descriptor, found.st_size, identity_of(found))


def read_small(path: str, disk: Disk) -> bytes | Deferred[bytes]:
    """Return the content of a small file; that of a larger one is read in a thread.

    :raise OSError: it cannot be read.
    """
    descriptor = open_file(path)
    try:
        content = os.read(descriptor, _SMALL_BYTES + 1)
    finally:
        os.close(descriptor)
    if len(content) <= _SMALL_BYTES:
        return content
    return disk.run(read_whole, path)


def _do_and_close(
    descriptor: int, work: Callable[[int, int, int], T], size: int, offset: int
) -> T:
    try:
        return work(descriptor, size, offset)
    finally:
        os.close(descriptor)


def _hash(hasher: IncrementalHash, descriptor: int, size: int, offset: int) -> int:
    """Hash a part of a file; give how many bytes were read."""
    done = 0
    while done < size:
        content = os.pread(descriptor, min(size - done, _HASHED_READ), offset + done)
        if not content:
            break
        hasher.update(content)
        done += len(content)
    return done


def _read_over(ahead: int, descriptor: int, size: int, offset: int) -> None:
    """Read what is wanted now; the kernel goes on with what is wanted soon."""
    os.posix_fadvise(descriptor, offset, ahead, os.POSIX_FADV_WILLNEED)
    os.pread(descriptor, size, offset)
