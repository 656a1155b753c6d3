"""Who works on a storage directory: any number of daemons, or one collection alone."""

from __future__ import annotations

import fcntl
import os

import attrs
from twisted.application.service import Service


class DirectoryBusy(Exception):
    """Somebody else works on the directory, so that this process must not."""


@attrs.define(eq=False, slots=False)
class DirectoryLock(Service):
    """Holds a lock on a file while it runs.

    :param path: of the file, which stays when the lock goes; empty for no lock.
    :param alone: nobody else may hold it.
    """

    _path: str
    _alone: bool
    _descriptor: int = -1

    def startService(self) -> None:
        """Take the lock.

        :raise DirectoryBusy: somebody else holds it in a way that excludes us.
        """
        if not self._path:
            super().startService()
            return
        os.makedirs(os.path.dirname(self._path), exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        how = fcntl.LOCK_EX if self._alone else fcntl.LOCK_SH
        try:
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            who = "a daemon" if self._alone else "a collection without a daemon"
            raise DirectoryBusy(
                f"{who} works on {os.path.dirname(self._path)}"
            ) from error
        self._descriptor = descriptor
        super().startService()

    def stopService(self) -> None:
        """Let go."""
        super().stopService()
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
