"""What is different where others write below the same directory; blocking.

Note [One writer of an upload]. Two processes may be asked to continue one upload: a
client comes back, and its first connection still looks alive elsewhere. Whoever writes
to a file holds a lock on it (``flock``); another one is refused, and its client tries
again. The kernel, or the file server, lifts the lock of a process that has died. A file
keeps its lock while it is moved to its place. Docker's registry takes no locks, and
neither do some file systems: there, as with that registry alone, two writers of one
upload may spoil it.

Note [Stale handles]. On a network file system what this machine remembers of a
directory or a file may have been deleted elsewhere: ``ESTALE``. A second look asks the
server. A file that is read while another machine deletes or replaces it cannot be read
to its end.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from txregistry.storagedriver.filesystem.syncfs import is_local

T = TypeVar("T")

#: Looks before a stale handle is an error.
_LOOKS = 3

#: Errors of file systems without locks.
NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)


def look_again(work: Callable[..., T], *args: object) -> T:
    """Do something that can be repeated, again if a handle was stale; see the note.

    :raise OSError: it failed.
    """
    for _ in range(_LOOKS - 1):
        try:
            return work(*args)
        except OSError as error:
            if error.errno != errno.ESTALE:
                raise
    return work(*args)


def claim(descriptor: int, path: str) -> None:
    """Lock a file that is about to be written, until it is closed; see the note.

    :param path: where it was opened.
    :raise OSError: another process writes to it, or has moved it since.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise OSError(errno.EBUSY, "another process writes to it") from error
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
    if not _is_at(descriptor, path):
        raise OSError(errno.EBUSY, "another process has moved it")


def _is_at(descriptor: int, path: str) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    return False


def may_wait(root: str) -> bool | None:
    """Tell whether a small read below a directory may wait for another machine.

    :return: ``None`` if that is not known yet, as the directory does not exist.
    """
    try:
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return not is_local(descriptor)
    finally:
        os.close(descriptor)
