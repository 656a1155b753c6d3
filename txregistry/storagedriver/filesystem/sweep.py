"""Delete temporary files of writes that a crash interrupted; blocking."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

from txregistry.interfaces.driverpaths import is_name, is_temporary

#: Directories that are examined before other work gets the thread.
_DIRECTORIES = 256

#: What ``os.walk`` gives of one directory.
Directory = tuple[str, list[str], list[str]]


def sweep_some(directories: Iterator[Directory], before: float) -> int | None:
    """Delete old temporary files in the next few directories.

    :param directories: from ``os.walk``, top down; resumed where the last call stopped.
    :param before: seconds since the epoch; younger files stay.
    :return: how many there were, or ``None`` when no directory is left.
    :raise OSError: a file could not be deleted.
    """
    found, count = [], 0
    for directory, below, names in directories:
        # Files of other programs stay.
        below[:] = filter(is_name, below)
        found += [os.path.join(directory, name) for name in names if is_temporary(name)]
        count += 1
        if count == _DIRECTORIES:
            break
    if not count:
        return None
    return sum(_delete_if_old(path, before) for path in found)


def _delete_if_old(path: str, before: float) -> bool:
    with suppress(FileNotFoundError):  # it was renamed meanwhile
        if os.stat(path).st_mtime < before:
            os.unlink(path)
            return True
    return False
