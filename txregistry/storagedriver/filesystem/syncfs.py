"""File systems that changes are made on, and waiting until they are safe; blocking.

Note [Told once]. The kernel tells of a write that failed once to each open file, and
takes what was not written for written after that. So a directory of each file system is
opened before the first change and kept: whoever else asks does not hear in our place.
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
from collections.abc import Callable

import attrs

#: Where ``syncfs`` waits for the disk (``statfs``'s ``f_type``). Others, as FUSE and
#: what lies on other machines, may return without having asked whoever stores.
_KNOWN = {
    0xEF53,  # ext2, ext3, ext4
    0x58465342,  # XFS
    0x9123683E,  # Btrfs
    0xF2F52010,  # F2FS
    0x2FC12FC1,  # ZFS
    0xCA451A4E,  # bcachefs
    0x3153464A,  # JFS
    0x794C7630,  # overlayfs
    0x01021994,  # tmpfs, on which nothing is safe whatever is done
}

#: Before this, ``syncfs`` does not say what could not be written.
_FIRST_KERNEL = (5, 8)


def sync_filesystem(descriptor: int) -> None:
    """Wait until all that was written to the file system of an open file is safe.

    :raise OSError: something could not be written.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syncfs(descriptor):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def waits_for_disk(descriptor: int) -> bool:
    """Tell whether :func:`sync_filesystem` can be believed for an open file."""
    release = tuple(int(part) for part in re.findall(r"\d+", platform.release())[:2])
    if release < _FIRST_KERNEL:
        return False
    found = (ctypes.c_long * 64)()  # longer than any ``struct statfs``
    failed = ctypes.CDLL(None).fstatfs(descriptor, ctypes.byref(found))
    return not failed and (found[0] & 0xFFFFFFFF) in _KNOWN


class NotCovered(Exception):
    """A file lies where the disk cannot be waited for by file system."""


@attrs.define(eq=False)
class FileSystems:
    """Those that changes were made on; see Note [Told once].

    :param sync: waits for the file system of an open file.
    :param believes: tells whether that can be believed.
    """

    _sync: Callable[[int], None] = sync_filesystem
    _believes: Callable[[int], bool] = waits_for_disk
    _kept: dict[int, int | None] = attrs.field(factory=dict)

    def cover(self, path: str) -> bool:
        """Tell whether :meth:`sync` will wait for what is changed next at a path."""
        directory, device = _nearest(os.path.dirname(path))
        return self._covers(device, directory)

    def check(self, descriptor: int, path: str) -> None:
        """Look at an open file before anything is written to it.

        :raise NotCovered: :meth:`sync` would not wait for what is.
        """
        # To ask for the device of an open file is cheaper than to look for its path.
        device = os.fstat(descriptor).st_dev
        if not self._covers(device, path.rpartition("/")[0]):
            raise NotCovered(path)

    def sync(self) -> None:
        """Wait until all that was changed is safe.

        :raise OSError: something could not be written; all were asked.
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
        """Keep nothing open."""
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
    """Give the next directory upward that is there, and its device."""
    while True:
        try:
            return directory, os.stat(directory).st_dev
        except (FileNotFoundError, NotADirectoryError):
            directory = os.path.dirname(directory)
