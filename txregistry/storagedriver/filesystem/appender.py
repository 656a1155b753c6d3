"""Append to a file, bypassing the page cache where that is worth it.

Note [Direct writes]
~~~~~~~~~~~~~~~~~~~~
Pushed bytes are written once and rarely read soon. Copying them into the page cache
costs the copy, a page of memory for every four kilobytes, another pass when they are
synced, and the pages evicted for them; on a virtual machine that gives idle memory back
to its host, several times the CPU of hashing them. So long pieces go straight to the
disk (``O_DIRECT``); the first pull reads them from there.

The kernel asks for whole blocks, at offsets and in memory that begin at one. Bytes
before the first block and after the last are written as usual; in between less than a
block is kept back until more comes, or a caller waits for all of it.

A file system that does not support this, or not this block size, says ``EINVAL``, at
the open or at a write: from there on the file is written as usual.
"""

from __future__ import annotations

import errno
import mmap
import os
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from fcntl import F_GETFL, F_SETFL, fcntl

import attrs

from txregistry.flow.buffer_budget import BODIES
from txregistry.spec.digest import IncrementalHash

#: The block size, or a multiple of it, on nearly every file system with direct writes;
#: others refuse the write.
BLOCK_BYTES = 4096

#: Bytes of the shortest direct write; shorter ones are not worth a wait for the disk.
DIRECT_BYTES = 256 * 1024

#: Bytes of one write and of its buffer: as many as arrive at once.
BUFFER_BYTES = BODIES.max_share
_BUFFERS = 6

# The file system does not support direct writes, or not this block size.
_REFUSALS = (errno.EINVAL, errno.EOPNOTSUPP)


@attrs.define(eq=False)
class Appender:
    """Hashes what is written to the end of a file; for one thread at a time.

    :ivar size: of the file in bytes; also the position of the appender.
    :param hasher: is given every byte, in order.
    :param direct: whether long pieces bypass the page cache.
    """

    descriptor: int
    size: int
    _hasher: IncrementalHash | None = None
    _direct: bool = False
    _kept: bytes = b""

    def truncate(self, size: int) -> None:
        """Truncate the file to its beginning, and move to its end."""
        if size < self.size:
            os.ftruncate(self.descriptor, size)
        self.size, self._kept = size, b""

    def append(self, batch: Sequence[bytes]) -> int:
        """Write; less than a block may be kept back, which an empty batch writes.

        :return: the size of the file, in bytes.
        :raise OSError: not all of it could be written; ``size`` says how much was.
        """
        if self._hasher is not None:
            for chunk in batch:
                self._hasher.update(chunk)
        pieces = deque(memoryview(chunk) for chunk in (self._kept, *batch))
        self._kept = b""
        if self._write_blocks(pieces):
            self._kept = b"".join(pieces)
        else:
            for piece in pieces:
                self._write(piece)
        return self.size

    def _write_blocks(self, pieces: deque[memoryview]) -> bool:
        """Take all whole blocks from the front, if there are many; tell if it did."""
        lead = -self.size % BLOCK_BYTES
        length = sum(map(len, pieces)) - lead
        if not (self._direct and length >= DIRECT_BYTES):
            return False
        with lent_buffer() as buffer:
            if buffer is None:
                return False
            self._write(fill(buffer[:lead], pieces))
            with self._past_the_cache():
                for size in _parts(length - length % BLOCK_BYTES, len(buffer)):
                    self._write(fill(buffer[:size], pieces))
        return True

    @contextmanager
    def _past_the_cache(self) -> Iterator[None]:
        try:
            try:
                self._switch(os.O_DIRECT)
            except OSError as error:
                self._write_as_usual(error)
            yield
        finally:
            self._switch(0)

    def _switch(self, direct: int) -> None:
        flags = fcntl(self.descriptor, F_GETFL) & ~os.O_DIRECT
        fcntl(self.descriptor, F_SETFL, flags | direct)

    def _write(self, piece: memoryview) -> None:
        while piece:
            try:
                written = os.write(self.descriptor, piece)
            except OSError as error:
                self._write_as_usual(error)
            else:
                self.size += written
                piece = piece[written:]

    def _write_as_usual(self, error: OSError) -> None:
        """Continue without direct writes, if the error says they are not supported."""
        if error.errno not in _REFUSALS or not self._direct:
            raise error
        self._direct = False
        self._switch(0)


def fill(buffer: memoryview, pieces: deque[memoryview]) -> memoryview:
    """Move bytes from the front of the pieces into a buffer, which they must fill.

    :return: the buffer.
    """
    done = 0
    while done < len(buffer):
        piece = pieces.popleft()
        taken, rest = piece[: len(buffer) - done], piece[len(buffer) - done :]
        buffer[done : done + len(taken)] = taken
        done += len(taken)
        if rest:
            pieces.appendleft(rest)
    return buffer


def _parts(length: int, most: int) -> Iterator[int]:
    for begin in range(0, length, most):
        yield min(most, length - begin)


# Page-aligned buffers, made on first use and kept. When all are lent, a write goes
# through the page cache: so memory is bounded for any number of files.
_buffers: deque[memoryview | None] = deque([None] * _BUFFERS)


@contextmanager
def lent_buffer() -> Iterator[memoryview | None]:
    """Lend a buffer of whole blocks, the last one used if possible, or ``None``."""
    try:
        buffer = _buffers.pop()
    except IndexError:
        yield None
        return
    try:
        if buffer is None:
            with suppress(OSError):  # no memory: treated as if all were lent
                buffer = memoryview(mmap.mmap(-1, BUFFER_BYTES))
        yield buffer
    finally:
        _buffers.append(buffer)
