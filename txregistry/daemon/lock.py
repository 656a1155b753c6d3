"""Who works on a storage directory: one process, a daemon or a collection."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress

import attrs
from twisted.application.service import Service


class DirectoryBusy(Exception):
    """Another process works on the directory, so that this one must not.

    What is remembered of the tree, and what protects it from a collection, is in the
    memory of one process.
    """


@attrs.define(eq=False, slots=False)
class DirectoryLock(Service):
    """Holds a lock on a file while it runs.

    :param path: of the file, which stays when the lock goes; empty for no lock.
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
        # Names, uses and what is on its way are nobody else's business. A directory
        # that somebody else owns is his to protect.
        with suppress(PermissionError):
            os.chmod(directory, 0o700)
        how = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self._path, how, 0o600)
        # Whoever can open it can hold it, and keep us from starting. Older releases
        # made it for all to read.
        with suppress(PermissionError):
            os.fchmod(descriptor, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise DirectoryBusy(f"another process works on {directory}") from error
        return descriptor
