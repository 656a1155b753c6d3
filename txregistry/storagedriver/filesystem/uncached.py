"""Read files from the disk itself, without filling the page cache.

Note [Uncached reads]. A direct read (``O_DIRECT``) asks the disk also for what the page
cache holds, and leaves no page behind. A file system without direct reads is read
through the page cache: the kernel reads nothing ahead, and pages that it had to read
for us are given back at once. Pages that were in memory before stay there.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
from collections.abc import Iterator
from fcntl import F_GETFL, F_SETFL, fcntl
from itertools import groupby

import attrs
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import implementer

from txregistry.flow.disk import Disk
from txregistry.interfaces.driver import DriverError
from txregistry.interfaces.files import IUncachedFile
from txregistry.spec.digest import IncrementalHash
from txregistry.storagedriver.filesystem.appender import BLOCK_BYTES
from txregistry.storagedriver.filesystem.stat import identity_of, open_file

#: Bytes of one read, and of its buffer.
PIECE_BYTES = 1024 * 1024

# The file system has no direct reads, or not of this block size.
_REFUSALS = (errno.EINVAL, errno.EOPNOTSUPP)

_libc = ctypes.CDLL(None)


@implementer(IUncachedFile)
@attrs.define(eq=False)
class UncachedFile:
    """An open file; see Note [Uncached reads].

    :param name: of the driver, and the driver's path, for errors.
    """

    _disk: Disk
    _descriptor: int
    _driver: str
    _path: str
    size: int
    identity: str

    def hash(self, hasher: IncrementalHash, offset: int, size: int) -> Deferred[int]:
        """Feed a part to a hash; see :class:`IUncachedFile`."""
        # The file may be closed while the thread reads.
        duplicate = os.dup(self._descriptor)
        done = self._disk.run(_hash_and_close, duplicate, hasher, offset, size)
        return done.addErrback(self._translate)

    def close(self) -> None:
        """Close the file, once."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _translate(self, failure: Failure) -> Failure:
        error = failure.value
        if not isinstance(error, OSError):
            return failure
        told = DriverError(self._driver, self._path, error.strerror or str(error))
        told.__cause__ = error
        return Failure(told)


def open_uncached(real: str, disk: Disk, driver: str, path: str) -> UncachedFile:
    """Open a file, for a thread.

    :param real: the path on the file system.
    :raise OSError: there is no such file, or it cannot be opened.
    """
    descriptor = open_file(real)
    found = os.fstat(descriptor)
    if not _switch_direct(descriptor, os.O_DIRECT):
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)
    return UncachedFile(
        disk, descriptor, driver, path, found.st_size, identity_of(found)
    )


def _switch_direct(descriptor: int, direct: int) -> bool:
    """Switch direct reads on or off; tell whether the file system agreed."""
    flags = fcntl(descriptor, F_GETFL) & ~os.O_DIRECT
    try:
        fcntl(descriptor, F_SETFL, flags | direct)
    except OSError as error:
        if error.errno not in _REFUSALS:
            raise
        return False
    return True


def _hash_and_close(
    descriptor: int, hasher: IncrementalHash, offset: int, size: int
) -> int:
    try:
        buffer = memoryview(mmap.mmap(-1, _blocks(size)))
        count = _read(descriptor, buffer, offset, size)
        hasher.update(bytes(buffer[:count]))
        return count
    finally:
        os.close(descriptor)


def _blocks(size: int) -> int:
    return max(1, -(-size // BLOCK_BYTES)) * BLOCK_BYTES


def _read(descriptor: int, buffer: memoryview, offset: int, size: int) -> int:
    if fcntl(descriptor, F_GETFL) & os.O_DIRECT:
        try:
            return min(size, _read_directly(descriptor, buffer, offset))
        except OSError as error:
            if error.errno not in _REFUSALS:
                raise
        _switch_direct(descriptor, 0)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)
    return _read_by_cache(descriptor, buffer[:size], offset)


def _read_directly(descriptor: int, buffer: memoryview, offset: int) -> int:
    done = 0
    while done < len(buffer):
        count = os.preadv(descriptor, [buffer[done:]], offset + done)
        done += count
        if not count or count % BLOCK_BYTES:
            break  # the end of the file
    return done


def _read_by_cache(descriptor: int, buffer: memoryview, offset: int) -> int:
    absent = list(_absent(descriptor, offset, len(buffer)))
    done = 0
    while done < len(buffer):
        count = os.preadv(descriptor, [buffer[done:]], offset + done)
        if not count:
            break  # the end of the file
        done += count
    for begin, size in absent:
        os.posix_fadvise(descriptor, offset + begin, size, os.POSIX_FADV_DONTNEED)
    return done


def _absent(descriptor: int, offset: int, size: int) -> Iterator[tuple[int, int]]:
    """Give the parts of a piece that are not in the page cache: offset and size.

    Where that cannot be found out, nothing counts as being there.
    """
    pages = _residency(descriptor, offset, size)
    begin = 0
    for is_there, run in groupby(pages, lambda page: bool(page & 1)):
        length = len(list(run)) * mmap.PAGESIZE
        if not is_there:
            yield begin, length
        begin += length


def _residency(descriptor: int, offset: int, size: int) -> bytes:
    """Ask ``mincore`` about each page of a piece: whether it is in the page cache."""
    pages = (ctypes.c_ubyte * -(-size // mmap.PAGESIZE))()
    # Private and writable, only so that ctypes tells its address; nothing is written.
    prot = mmap.PROT_READ | mmap.PROT_WRITE
    try:
        view = mmap.mmap(descriptor, size, mmap.MAP_PRIVATE, prot, offset=offset)
    except (OSError, ValueError):
        return bytes(pages)  # cut meanwhile, or a file system without mappings
    first = ctypes.c_char.from_buffer(view)
    done = _libc.mincore(ctypes.byref(first), ctypes.c_size_t(size), pages)
    return bytes(len(pages)) if done else bytes(pages)
