"""A lock: one process works on a storage directory, a daemon or a collection."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress

import attrs
from twisted.application.service import Service


class DirectoryBusy(Exception):
    """Another process works on the directory.

    Caches of the tree, and pins against a collection, are in the memory of one process.
    """


@attrs.define(eq=False, slots=False)
class DirectoryLock(Service):
    """Holds a lock on a file while it runs.

    :param path: of the file, which stays after the release; empty for no lock.
    """

    _path: str
    _descriptor: int = -1

    def startService(self) -> None:
        """Take the lock.

        :raise DirectoryBusy: another process holds it.
        """
        if self._path:
            self._descriptor = self._take()
        super().startService()

    def stopService(self) -> None:
        """Let go."""
        super().stopService()
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _take(self) -> int:
        directory = os.path.dirname(self._path)
        os.makedirs(directory, exist_ok=True)
        # Names, uses and incoming bytes are private. A directory of another user is
        # that user's to protect.
        with suppress(PermissionError):
            os.chmod(directory, 0o700)
        how = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self._path, how, 0o600)
        # Any user who can open it can lock it, and prevent our start. Older releases
        # made it world-readable.
        with suppress(PermissionError):
            os.fchmod(descriptor, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise DirectoryBusy(f"another process works on {directory}") from error
        return descriptor
