"""The names in a directory, packed so that many take little memory; blocking."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from txregistry.interfaces.driverpaths import is_name

#: Separates names; no name contains it.
_END = b"\0"


def pack(directory: str) -> bytes:
    """Read the names in a directory at once, but not as one object each.

    A link to a directory above itself is skipped: following it would never end.

    The directory is read in one go: between partial reads, a file system that orders
    names by age may skip some when files come and go.

    :raise OSError: it cannot be read.
    """
    packed = bytearray()
    with os.scandir(directory) as entries:
        for entry in entries:
            is_loop = entry.is_symlink() and _leads_above(entry.path)
            if is_name(entry.name) and not is_loop:
                packed += os.fsencode(entry.name) + _END
    return bytes(packed)


def _leads_above(path: str) -> bool:
    """Tell whether a link points to a directory above it."""
    try:
        target = os.stat(path)
    except OSError:
        return False  # dangling, or to itself: a stat finds that out
    path = os.path.abspath(path)
    while stat.S_ISDIR(target.st_mode) and path != os.path.dirname(path):
        path = os.path.dirname(path)
        if os.path.samestat(target, os.stat(path)):
            return True
    return False


def unpacked(packed: bytes) -> Iterator[str]:
    """Give the names one by one."""
    begin = 0
    while begin < len(packed):
        end = packed.index(_END, begin)
        yield os.fsdecode(packed[begin:end])
        begin = end + 1
