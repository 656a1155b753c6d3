"""Stat a path of the file system, and list what is below; for a thread."""

from __future__ import annotations

import errno
import os
import stat as modes
from collections.abc import Callable

import attrs

from txregistry.interfaces.driver import DiskSpace, FileStat
from txregistry.interfaces.driverpaths import ROOT, child
from txregistry.storagedriver.filesystem.scandir import pack, unpacked

#: Tells whether a path is wanted.
Only = Callable[[str], bool]


def identity_of(found: os.stat_result) -> str:
    """Give an identity that changes when a file is replaced or written to.

    Its ctime and atime say nothing of its content, and a copy or a restored backup has
    another inode, whatever its times.
    """
    return f"{found.st_ino}-{found.st_mtime_ns}-{found.st_size}"


def stat_path(real: str, path: str) -> FileStat:
    """Stat a path.

    :param real: the path on the file system.
    :param path: the driver's path.
    :raise OSError: the path does not exist, or cannot be examined.
    """
    if path == ROOT and not os.path.exists(real):
        return FileStat(path, 0, 0.0, is_directory=True)
    found = os.stat(real or ROOT)
    if modes.S_ISDIR(found.st_mode):
        return FileStat(path, 0, found.st_mtime, is_directory=True)
    identity = identity_of(found)
    return FileStat(path, found.st_size, found.st_mtime, False, identity)


def space_of(root: str) -> DiskSpace:
    """Ask how much the file system of a directory has.

    :param root: may not be there yet: then it will be in its parent.
    :raise OSError: it cannot be examined.
    """
    while root and not os.path.exists(root):
        root = os.path.dirname(root)
    found = os.statvfs(root or ROOT)
    return DiskSpace(found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize)


def list_directory(real: str, path: str) -> list[str]:
    """Give the full paths of the children, sorted, without invalid names."""
    if path == ROOT and not os.path.exists(real):
        return []  # the first write makes the root
    return [child(path, name) for name in sorted(unpacked(pack(real or ROOT)))]


def open_file(real: str) -> int:
    """Open a regular file for reading, and give its descriptor.

    Other kinds in the tree may block an open or a read for ever, or be endless: pipes,
    terminals, devices.

    :raise OSError: there is no such file, or it cannot be read.
    """
    how = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
    descriptor = os.open(real, how)
    if not modes.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise IsADirectoryError(errno.EISDIR, "is no regular file")
    return descriptor


def is_nothing(error: OSError) -> bool:
    """Tell whether an error says that there is no such file.

    A file may be in the middle of its path, or a directory or a socket in its place. A
    link to itself does not count: it may hide something, which the operator should see.
    """
    kinds = (FileNotFoundError, NotADirectoryError, IsADirectoryError)
    return isinstance(error, kinds) or error.errno == errno.ENXIO


@attrs.frozen
class Children:
    """The children of a directory.

    :ivar refused: paths that cannot be examined, and why.
    """

    found: list[FileStat] = attrs.field(factory=list)
    refused: list[tuple[str, OSError]] = attrs.field(factory=list)


def stat_all(real: str, path: str, only: Only | None = None) -> Children:
    """Stat the children; one that disappears meanwhile is left out.

    :param only: tells by path which of them to examine.
    :raise OSError: the directory itself cannot be read.
    """
    children = Children()
    for item in list_directory(real, path):
        if only is not None and not only(item):
            continue
        try:
            found = stat_path(child(real, os.path.basename(item)), item)
        except FileNotFoundError:
            continue  # deleted since it was listed
        except OSError as error:
            children.refused.append((item, error))
        else:
            children.found.append(found)
    return children
