"""Who works on a storage directory."""

from __future__ import annotations

import errno
import fcntl
import os
from unittest.mock import Mock

from twisted.trial.unittest import SynchronousTestCase

from txregistry.daemon.lock import DirectoryBusy, DirectoryLock


class LockTests(SynchronousTestCase):
    """One process at a time."""

    def setUp(self) -> None:
        self.path = os.path.join(self.mktemp(), "own", "lock")

    def lock(self) -> DirectoryLock:
        found = DirectoryLock(self.path)
        self.addCleanup(found.stopService)
        return found

    def test_one_at_a_time(self) -> None:
        """A second process is told, until the first has ended."""
        first, second = self.lock(), self.lock()
        first.startService()
        with self.assertRaises(DirectoryBusy) as caught:
            second.startService()
        self.assertIn("another process works on", str(caught.exception))
        self.assertFalse(second.running)
        first.stopService()
        second.startService()

    def test_nowhere(self) -> None:
        """Storage that is no directory has no lock."""
        lock = DirectoryLock("")
        lock.startService()
        lock.stopService()
        self.assertFalse(lock.running)

    def test_directory_is_private(self) -> None:
        """What lies in the directory is for nobody else to read."""
        os.makedirs(os.path.dirname(self.path), mode=0o755, exist_ok=True)
        lock = DirectoryLock(self.path)
        lock.startService()
        self.addCleanup(lock.stopService)
        mode = os.stat(os.path.dirname(self.path)).st_mode & 0o777
        self.assertEqual(mode, 0o700)

    def test_shared(self) -> None:
        """Those who share it hold it together, and nobody who does not share it."""
        first, second = (DirectoryLock(self.path, is_shared=True) for _ in range(2))
        first.startService()
        second.startService()
        alone = self.lock()
        with self.assertRaises(DirectoryBusy):
            alone.startService()
        first.stopService()
        second.stopService()
        alone.startService()
        third = DirectoryLock(self.path, is_shared=True)
        with self.assertRaises(DirectoryBusy) as caught:
            third.startService()
        self.assertIn("does not share it", str(caught.exception))

    def test_no_locks(self) -> None:
        """A directory on a network may have none: that is told to those who share it,
        and is an error for one who wants it alone."""
        error = OSError(errno.ENOLCK, "No locks available")
        self.patch(fcntl, "flock", Mock(side_effect=error))
        shared = DirectoryLock(self.path, is_shared=True)
        shared.startService()
        shared.stopService()
        with self.assertRaises(OSError):
            self.lock().startService()
