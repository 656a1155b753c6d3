"""What there is at a path of the file system, and below it; for a thread."""

from __future__ import annotations

import os
import stat as modes
from collections.abc import Callable

import attrs

from txregistry.interfaces.driver import FileStat
from txregistry.storagedriver.paths import ROOT, child, is_name

#: Tells whether a path is wanted.
Only = Callable[[str], bool]


def identity_of(found: os.stat_result) -> str:
    """Tell a file from one that was put in its place, or written to.

    Its times of change and access say nothing of its content, and a copy or a restored
    backup has another inode, whatever times were given to it.
    """
    return f"{found.st_ino}-{found.st_mtime_ns}-{found.st_size}"


def stat_path(real: str, path: str) -> FileStat:
    """Tell what is there.

    :param real: of the file system.
    :param path: of the driver.
    :raise OSError: there is nothing, or it cannot be seen.
    """
    if path == ROOT and not os.path.exists(real):
        return FileStat(path, 0, 0.0, is_directory=True)
    found = os.stat(real or ROOT)
    if modes.S_ISDIR(found.st_mode):
        return FileStat(path, 0, found.st_mtime, is_directory=True)
    identity = identity_of(found)
    return FileStat(path, found.st_size, found.st_mtime, False, identity)


def list_directory(real: str, path: str) -> list[str]:
    """Give the full paths of the children, sorted, without what has no path."""
    if path == ROOT and not os.path.exists(real):
        return []  # the root is made by the first write
    names = os.listdir(real or ROOT)
    return [child(path, name) for name in sorted(names) if is_name(name)]


@attrs.frozen
class Children:
    """What lies in a directory.

    :ivar refused: paths that cannot be looked at, and why.
    """

    found: list[FileStat] = attrs.field(factory=list)
    refused: list[tuple[str, OSError]] = attrs.field(factory=list)


def stat_all(real: str, path: str, only: Only | None = None) -> Children:
    """Tell what the children are; one that goes meanwhile is left out.

    :param only: tells by its path which of them to look at.
    :raise OSError: the directory itself cannot be read.
    """
    children = Children()
    for item in list_directory(real, path):
        if only is not None and not only(item):
            continue
        try:
            found = stat_path(child(real, os.path.basename(item)), item)
        except FileNotFoundError:
            continue  # gone since it was listed
        except OSError as error:
            children.refused.append((item, error))
        else:
            children.found.append(found)
    return children
