"""Writing at the end of a file, in both ways."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
from collections import deque
from contextlib import ExitStack
from fcntl import F_SETFL, fcntl
from typing import Any
from unittest.mock import Mock, patch

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txregistry.storagedriver.filesystem import appender
from txregistry.storagedriver.filesystem.appender import (
    BLOCK_BYTES,
    BUFFER_BYTES,
    DIRECT_BYTES,
    Appender,
    lent_buffer,
)

#: More than a buffer, and no whole number of blocks.
LONG = os.urandom(5 * 1024 * 1024 + 333)

sizes = st.one_of(
    st.integers(0, 3 * BLOCK_BYTES),
    st.integers(DIRECT_BYTES - BLOCK_BYTES, DIRECT_BYTES + 2 * BLOCK_BYTES),
)


class Kernel:
    """Says what is written past the cache, and refuses what a file system may.

    It stands before the real one, from which direct writes are kept: so these tests
    show the same on each file system.
    """

    def __init__(self, case: SynchronousTestCase) -> None:
        self.direct = False
        self.written: list[tuple[int, int]] = []
        self.refuses_flag = self.refuses_write = 0
        self.takes: int | None = None
        case.patch(appender, "fcntl", self.fcntl)
        case.patch(appender.os, "write", self.write_to(os.write))

    def fcntl(self, descriptor: int, verb: int, flags: int = 0) -> int:
        if verb == F_SETFL:
            self.direct = bool(flags & os.O_DIRECT)
            if self.direct and self.refuses_flag:
                self.direct = False
                raise OSError(self.refuses_flag, os.strerror(self.refuses_flag))
        return fcntl(descriptor, verb, flags & ~os.O_DIRECT)

    def write_to(self, write: Any) -> Any:
        def written(descriptor: int, data: Any) -> int:
            if not self.direct:
                return write(descriptor, data)
            offset = os.fstat(descriptor).st_size
            place = ctypes.addressof(ctypes.c_char.from_buffer(data))
            if self.refuses_write or (offset | len(data) | place) % 4096:
                raise OSError(self.refuses_write or errno.EINVAL, "refused")
            self.written.append((offset, len(data)))
            return write(descriptor, data[: self.takes])

        return written


def write(opened: Appender, *batch: bytes) -> None:
    """Write a batch, and what it leaves."""
    opened.append(batch)
    opened.append([])


class AppenderTests(SynchronousTestCase):
    """However it is written, it is there, and hashed."""

    def setUp(self) -> None:
        self.kernel = Kernel(self)

    def open(self, direct: bool = True, content: bytes = b"") -> Appender:
        path = self.mktemp()
        with open(path, "wb") as file:
            file.write(content)
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND)
        self.addCleanup(os.close, descriptor)
        self.hasher = hashlib.sha256()
        return Appender(descriptor, len(content), self.hasher, direct)

    def content(self, opened: Appender) -> bytes:
        return os.pread(opened.descriptor, 1 << 24, 0)

    def check(self, opened: Appender, content: bytes) -> None:
        self.assertEqual((self.content(opened), opened.size), (content, len(content)))

    def test_whole_blocks(self) -> None:
        """What is long goes past the cache, in whole blocks from the first on that
        begins in it, a buffer at a time; the rest as usual."""
        opened = self.open(content=b"x")
        write(opened, LONG[:1000], LONG[1000:])
        self.check(opened, b"x" + LONG)
        offsets, lengths = zip(*self.kernel.written, strict=True)
        self.assertEqual((offsets[0], max(lengths)), (BLOCK_BYTES, BUFFER_BYTES))
        self.assertEqual(sum(lengths), 5 * 1024 * 1024 - BLOCK_BYTES)
        self.assertEqual(self.hasher.digest(), hashlib.sha256(LONG).digest())

    def test_less_than_a_block_is_kept_back(self) -> None:
        """Until there is more, or somebody waits."""
        opened = self.open()
        self.assertEqual(opened.append([LONG]), 5 * 1024 * 1024)
        self.check(opened, LONG[:-333])
        opened.append([LONG])
        self.assertEqual(
            {offset % BLOCK_BYTES for offset, _ in self.kernel.written}, {0}
        )
        self.assertEqual(opened.append([]), 2 * len(LONG))
        self.check(opened, LONG + LONG)

    def test_short(self) -> None:
        """What is short is written as usual, and whole."""
        opened = self.open()
        opened.append([LONG[: DIRECT_BYTES - 1]])
        self.check(opened, LONG[: DIRECT_BYTES - 1])
        self.assertEqual(self.kernel.written, [])

    def test_followed(self) -> None:
        """So is what somebody reads meanwhile."""
        opened = self.open(direct=False)
        opened.append([LONG])
        self.check(opened, LONG)
        self.assertEqual(self.kernel.written, [])

    def test_no_buffer_left(self) -> None:
        """So is what there is no memory for; all of it can be lent again."""
        opened = self.open()
        with ExitStack() as stack:
            while stack.enter_context(lent_buffer()) is not None:
                continue
            opened.append([LONG])
        self.check(opened, LONG)
        self.assertEqual(self.kernel.written, [])
        write(opened, LONG)
        self.check(opened, LONG + LONG)
        self.assertNotEqual(self.kernel.written, [])

    def test_refused_at_once(self) -> None:
        """A file system without direct writes is written to as usual."""
        for refusal in (errno.EINVAL, errno.EOPNOTSUPP):
            self.kernel.refuses_flag = refusal
            opened = self.open()
            write(opened, LONG)
            write(opened, LONG)
            self.check(opened, LONG + LONG)
        self.assertEqual(self.kernel.written, [])

    def test_refused_when_written(self) -> None:
        """One with larger blocks, too; it is tried once."""
        self.kernel.refuses_write = errno.EINVAL
        opened = self.open()
        write(opened, LONG)
        self.kernel.refuses_write = 0
        write(opened, LONG)
        self.check(opened, LONG + LONG)
        self.assertEqual(self.kernel.written, [])

    def test_part_of_a_write(self) -> None:
        """When a part was written, the rest follows, in whatever way it can."""
        for takes in (BLOCK_BYTES * 3, 777):
            self.kernel.takes = takes
            opened = self.open()
            write(opened, LONG)
            self.check(opened, LONG)

    def test_failure(self) -> None:
        """What is wrong with the disk is said, and the file is as before to others."""
        self.kernel.refuses_write = errno.ENOSPC
        opened = self.open()
        error = self.assertRaises(OSError, opened.append, [LONG])
        self.assertEqual(error.errno, errno.ENOSPC)
        self.assertFalse(self.kernel.direct)
        self.check(opened, b"")
        self.assertEqual(len(appender._buffers), appender._BUFFERS)

    def test_refused_as_usual(self) -> None:
        """There is no other way then."""
        opened = self.open(direct=False)

        def refuse(*_: object) -> int:
            raise OSError(errno.EINVAL, "refused")

        self.patch(appender.os, "write", refuse)
        error = self.assertRaises(OSError, opened.append, [LONG])
        self.assertEqual(error.errno, errno.EINVAL)

    def test_no_memory(self) -> None:
        """Without any for a buffer it is written as usual, until there is."""
        buffers = [None] * len(appender._buffers)
        self.patch(appender, "_buffers", deque(buffers))
        opened = self.open()
        refuse = Mock(side_effect=OSError(errno.ENOMEM, "no memory"))
        with patch.object(appender.mmap, "mmap", refuse):
            write(opened, LONG)
        self.assertEqual(self.kernel.written, [])
        self.assertEqual(len(appender._buffers), len(buffers))
        write(opened, LONG)
        self.check(opened, LONG + LONG)
        self.assertNotEqual(self.kernel.written, [])

    def test_truncated(self) -> None:
        """What is not kept is gone; it goes on at the end of what is."""
        opened = self.open(content=LONG)
        opened.truncate(10)
        opened.append([LONG])
        opened.truncate(20)
        write(opened, LONG)
        self.check(opened, LONG[:10] + LONG[:10] + LONG)

    @given(st.lists(st.tuples(sizes, st.booleans()), max_size=6))
    def test_any_pieces(self, pieces: list[tuple[int, bool]]) -> None:
        """However long the pieces are, and whoever waits in between: the order and
        the bytes stay, and less than a block is missing."""
        opened = self.open()
        content = b""
        for size, whole in pieces:
            content += LONG[:size]
            written = opened.append([LONG[: size // 3], LONG[size // 3 : size]])
            if whole:
                written = opened.append([])
            self.assertEqual(self.content(opened), content[:written])
            self.assertLess(len(content) - written, 1 if whole else BLOCK_BYTES)
        opened.append([])
        self.check(opened, content)
        self.assertEqual(self.hasher.digest(), hashlib.sha256(content).digest())
