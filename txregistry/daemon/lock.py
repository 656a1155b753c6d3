"""Locks: one process works on a storage directory, or several that know of it."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress

import attrs
from twisted.application.service import Service
from twisted.logger import Logger

from txregistry.storagedriver.filesystem.shared import NO_LOCKS


class DirectoryBusy(Exception):
    """Another process works on the directory.

    Caches of the tree, and pins against a collection, are in the memory of one process;
    unless all of them share it (``storage.filesystem.shared``).
    """


@attrs.define(eq=False, slots=False)
class DirectoryLock(Service):
    """Holds a lock on a file while it runs.

    :param path: of the file, which stays after the release; empty for no lock.
    :param is_shared: others may hold it as well, who share it too.
    """

    _path: str
    _is_shared: bool = False
    _descriptor: int = -1
    _log = Logger()

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
            self._lock(descriptor)
        except BlockingIOError as error:
            os.close(descriptor)
            raise DirectoryBusy(self._why_busy(directory)) from error
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _lock(self, descriptor: int) -> None:
        how = fcntl.LOCK_SH if self._is_shared else fcntl.LOCK_EX
        try:
            fcntl.flock(descriptor, how | fcntl.LOCK_NB)
        except OSError as error:
            # A directory on a network may have no locks; a process that wants it for
            # itself must have one.
            if not self._is_shared or error.errno not in NO_LOCKS:
                raise
            self._log.warn(
                "no lock on {path}: {error}; a process that does not share the"
                " directory must not use it",
                path=self._path,
                error=error.strerror,
            )

    def _why_busy(self, directory: str) -> str:
        busy = f"another process works on {directory}"
        return f"{busy}, and does not share it" if self._is_shared else busy
