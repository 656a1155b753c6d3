"""The names in a directory, packed so that many take little memory; blocking."""

from __future__ import annotations

import os
from collections.abc import Iterator

from txregistry.storagedriver.paths import is_name

#: Stands between names, and in none.
_END = b"\0"


def pack(directory: str) -> bytes:
    """Read the names in a directory at once, but not as one object each.

    Reading some, and others later, would let a file system that orders its names by
    age pass over some of them when files come and go meanwhile.

    :raise OSError: it cannot be read.
    """
    packed = bytearray()
    with os.scandir(directory) as entries:
        for entry in entries:
            if is_name(entry.name):
                packed += os.fsencode(entry.name) + _END
    return bytes(packed)


def unpacked(packed: bytes) -> Iterator[str]:
    """Give the names one by one."""
    begin = 0
    while begin < len(packed):
        end = packed.index(_END, begin)
        yield os.fsdecode(packed[begin:end])
        begin = end + 1
