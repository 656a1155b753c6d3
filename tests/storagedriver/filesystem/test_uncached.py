"""Files that are read from the disk itself."""

from __future__ import annotations

import ctypes
import errno
import hashlib
import mmap
import os
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SkipTest, SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.flow.disk import InlineDisk
from txregistry.interfaces.driver import (
    DriverError,
    IUncached,
    PathNotFound,
    lost_by_disk,
)
from txregistry.interfaces.files import IUncachedFile
from txregistry.storagedriver.filesystem import uncached as module
from txregistry.storagedriver.filesystem.driver import FilesystemDriver
from txregistry.storagedriver.filesystem.uncached import PIECE_BYTES
from txregistry.testing.disk import QueueDisk

SIZES = (0, 1, 4095, 4096, 4097, 300_000, PIECE_BYTES, 2 * PIECE_BYTES + 5)


class UncachedCase(SynchronousTestCase):
    """A directory, and whether the file system is to have direct reads."""

    def setUp(self) -> None:
        self.root = self.mktemp()
        self.driver = FilesystemDriver(self.root, InlineDisk())
        self.path = os.path.join(self.root, "f")

    def refuse_direct(self) -> None:
        self.patch(module, "_switch_direct", lambda *_: False)

    def write(self, content: bytes) -> None:
        os.makedirs(self.root, exist_ok=True)
        with open(self.path, "wb") as file:
            file.write(content)
            os.fsync(file.fileno())

    def open(self) -> IUncachedFile:
        file: IUncachedFile = self.successResultOf(self.driver.uncached("/f"))
        self.addCleanup(file.close)
        return file

    def digest(self, file: IUncachedFile) -> str:
        hasher = hashlib.sha256()
        for offset in range(0, file.size, PIECE_BYTES):
            wanted = min(PIECE_BYTES, file.size - offset)
            self.assertEqual(
                self.successResultOf(file.hash(hasher, offset, wanted)), wanted
            )
        return hasher.hexdigest()

    def resident(self) -> list[bool]:
        """Tell of each MiB of the file whether any page of it is in memory."""
        size = os.path.getsize(self.path)
        pages = (ctypes.c_ubyte * (size // mmap.PAGESIZE))()
        with open(self.path, "rb") as file:
            # Private, so that its address can be had; nothing is written.
            view = mmap.mmap(file.fileno(), size, mmap.MAP_PRIVATE)
            address = ctypes.addressof(ctypes.c_char.from_buffer(view))
            libc = ctypes.CDLL(None, use_errno=True)
            done = libc.mincore(ctypes.c_void_p(address), ctypes.c_size_t(size), pages)
            self.assertEqual(done, 0)
        each = PIECE_BYTES // mmap.PAGESIZE
        return [
            any(x & 1 for x in pages[i : i + each]) for i in range(0, len(pages), each)
        ]

    def evict(self) -> None:
        with open(self.path, "rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        if any(self.resident()):
            raise SkipTest("this file system is memory")


class ContentTests(UncachedCase):
    """What is read."""

    def test_every_size(self) -> None:
        """All of a file, also where it ends within a block, directly or not."""
        for patch in (lambda: None, self.refuse_direct):
            patch()
            for size in SIZES:
                content = os.urandom(size)
                self.write(content)
                file = self.open()
                self.assertEqual(file.size, size)
                self.assertEqual(self.digest(file), hashlib.sha256(content).hexdigest())

    def test_interfaces(self) -> None:
        """The driver and its file provide what they say; the identity is the file's."""
        self.write(b"x")
        verifyObject(IUncached, self.driver)
        file = self.open()
        verifyObject(IUncachedFile, file)
        found = self.successResultOf(self.driver.stat("/f"))
        self.assertEqual(file.identity, found.identity)

    def test_missing(self) -> None:
        """What is not there, or is no file, is PathNotFound."""
        self.failureResultOf(self.driver.uncached("/f"), PathNotFound)
        os.makedirs(self.path)
        self.failureResultOf(self.driver.uncached("/f"), PathNotFound)

    def test_cut_meanwhile(self) -> None:
        """A file that became shorter gives what there is."""
        for patch in (lambda: None, self.refuse_direct):
            patch()
            self.write(bytes(10_000))
            file = self.open()
            os.truncate(self.path, 5000)
            done = file.hash(hashlib.sha256(), 0, 10_000)
            self.assertEqual(self.successResultOf(done), 5000)

    def test_bad_sector(self) -> None:
        """What the disk cannot give is an error that names the path."""
        self.write(bytes(10_000))
        file = self.open()

        def fail(*_: Any) -> int:
            raise OSError(errno.EIO, "Input/output error")

        self.patch(module.os, "preadv", fail)
        failure = self.failureResultOf(file.hash(hashlib.sha256(), 0, 10), DriverError)
        self.assertIn("/f: Input/output error", str(failure.value))
        self.assertTrue(lost_by_disk(failure.value))
        self.assertFalse(lost_by_disk(DriverError("filesystem", "/f", "other")))

    def test_direct_reads_that_fail(self) -> None:
        """A file system that refuses only at the read is read through the cache."""
        content = os.urandom(3000)
        self.write(content)
        file = self.open()
        real: Callable[..., int] = os.preadv

        def refuse(descriptor: int, buffers: Any, offset: int, *flags: int) -> int:
            if module.fcntl(descriptor, module.F_GETFL) & os.O_DIRECT:
                raise OSError(errno.EINVAL, "Invalid argument")
            return real(descriptor, buffers, offset, *flags)

        self.patch(module.os, "preadv", refuse)
        self.assertEqual(self.digest(file), hashlib.sha256(content).hexdigest())

    def test_closed_while_it_is_read(self) -> None:
        """A thread that reads has its own descriptor, which it closes."""
        self.write(bytes(10_000))
        disk = QueueDisk()
        self.driver = FilesystemDriver(self.root, disk)
        opening = self.driver.uncached("/f")
        disk.settle()
        file: IUncachedFile = self.successResultOf(opening)
        before = len(os.listdir("/proc/self/fd"))
        done: Deferred[int] = file.hash(hashlib.sha256(), 0, 10_000)
        done.cancel()
        self.failureResultOf(done, CancelledError)
        file.close()
        file.close()
        disk.settle()
        self.assertEqual(len(os.listdir("/proc/self/fd")), before - 1)


class MemoryTests(UncachedCase):
    """What is in the page cache afterwards."""

    def setUp(self) -> None:
        super().setUp()
        self.write(os.urandom(4 * PIECE_BYTES))
        self.evict()

    def test_nothing_is_left(self) -> None:
        """Reading a file that was not in memory leaves nothing of it there."""
        self.digest(self.open())
        self.assertEqual(self.resident(), [False] * 4)

    def test_nothing_is_left_without_direct_reads(self) -> None:
        """Nor through the page cache."""
        self.refuse_direct()
        self.digest(self.open())
        self.assertEqual(self.resident(), [False] * 4)

    def test_residency_that_cannot_be_known(self) -> None:
        """Where nobody can tell what was in memory, nothing is left there."""
        self.refuse_direct()

        def refuse(*_: Any, **__: Any) -> Any:
            raise OSError(errno.ENODEV, "No such device")

        real = mmap.mmap
        self.patch(
            module.mmap,
            "mmap",
            lambda fd, *a, **k: (refuse if fd >= 0 else real)(fd, *a),
        )
        self.digest(self.open())
        self.patch(module.mmap, "mmap", real)
        self.assertEqual(self.resident(), [False] * 4)

    def test_what_was_there_stays(self) -> None:
        """A part that was in memory is in memory afterwards, either way."""
        with open(self.path, "rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
            os.pread(file.fileno(), PIECE_BYTES, PIECE_BYTES)
        self.digest(self.open())
        self.refuse_direct()
        self.digest(self.open())
        self.assertEqual(self.resident(), [False, True, False, False])
