"""File systems with changes, and waiting until these are durable; blocking.

Note [Told once]. The kernel reports a failed write once per open file description, and
takes the data for written after that. So a directory of each file system is opened
before the first change and kept open: then no other program consumes our report.
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
from collections.abc import Callable

import attrs

#: Where ``syncfs`` waits for the disk (``statfs``'s ``f_type``). Others, such as FUSE
#: and network file systems, may return before the data is stored.
_KNOWN = {
    0xEF53,  # ext2, ext3, ext4
    0x58465342,  # XFS
    0x9123683E,  # Btrfs
    0xF2F52010,  # F2FS
    0x2FC12FC1,  # ZFS
    0xCA451A4E,  # bcachefs
    0x3153464A,  # JFS
    0x794C7630,  # overlayfs
    0x01021994,  # tmpfs, on which nothing is durable anyway
}

#: Before this version ``syncfs`` does not report failed writes.
_FIRST_KERNEL = (5, 8)


def sync_filesystem(descriptor: int) -> None:
    """Wait until all writes to the file system of an open file are durable.

    :raise OSError: a write failed.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syncfs(descriptor):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def waits_for_disk(descriptor: int) -> bool:
    """Tell whether :func:`sync_filesystem` is reliable for an open file."""
    release = tuple(int(part) for part in re.findall(r"\d+", platform.release())[:2])
    return release >= _FIRST_KERNEL and is_local(descriptor)


def is_local(descriptor: int) -> bool:
    """Tell whether an open file is on a known file system of this machine's own."""
    found = (ctypes.c_long * 64)()  # longer than any ``struct statfs``
    failed = ctypes.CDLL(None).fstatfs(descriptor, ctypes.byref(found))
    return not failed and (found[0] & 0xFFFFFFFF) in _KNOWN


class NotCovered(Exception):
    """A file lies on a file system whose ``syncfs`` is not reliable."""


@attrs.define(eq=False)
class FileSystems:
    """The file systems that have changes; see Note [Told once].

    :param sync: waits for the file system of an open file.
    :param believes: tells whether that is reliable.
    """

    _sync: Callable[[int], None] = sync_filesystem
    _believes: Callable[[int], bool] = waits_for_disk
    _kept: dict[int, int | None] = attrs.field(factory=dict)

    def cover(self, path: str) -> bool:
        """Tell whether :meth:`sync` will cover the next change at a path."""
        directory, device = _nearest(os.path.dirname(path))
        return self._covers(device, directory)

    def check(self, descriptor: int, path: str) -> None:
        """Register an open file before anything is written to it.

        :raise NotCovered: :meth:`sync` would not cover the write.
        """
        # The device of an open file is cheaper to get than that of its path.
        device = os.fstat(descriptor).st_dev
        if not self._covers(device, path.rpartition("/")[0]):
            raise NotCovered(path)

    def sync(self) -> None:
        """Wait until all changes are durable.

        :raise OSError: a write failed; all file systems were synced.
        """
        problems = []
        for descriptor in list(self._kept.values()):
            try:
                if descriptor is not None:
                    self._sync(descriptor)
            except OSError as error:
                problems.append(error)
        if problems:
            raise problems[0]

    def close(self) -> None:
        """Close all directories."""
        for descriptor in self._kept.values():
            if descriptor is not None:
                os.close(descriptor)
        self._kept.clear()

    def _covers(self, device: int, directory: str) -> bool:
        if device not in self._kept:
            self._kept[device] = self._keep(directory)
        return self._kept[device] is not None

    def _keep(self, directory: str) -> int | None:
        descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
        if self._believes(descriptor):
            return descriptor
        os.close(descriptor)
        return None


def _nearest(directory: str) -> tuple[str, int]:
    """Give the nearest existing directory upward, and its device."""
    while True:
        try:
            return directory, os.stat(directory).st_dev
        except (FileNotFoundError, NotADirectoryError):
            directory = os.path.dirname(directory)
