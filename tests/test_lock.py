"""Who works on a storage directory."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from txregistry.lock import DirectoryBusy, DirectoryLock


class LockTests(SynchronousTestCase):
    """Daemons share, a collection is alone."""

    def setUp(self) -> None:
        self.path = os.path.join(self.mktemp(), "own", "lock")

    def lock(self, alone: bool = False) -> DirectoryLock:
        found = DirectoryLock(self.path, alone)
        self.addCleanup(found.stopService)
        return found

    def test_daemons_share(self) -> None:
        """Any number of daemons."""
        self.lock().startService()
        self.lock().startService()

    def test_alone(self) -> None:
        """A collection without a daemon excludes daemons, and they exclude it."""
        daemon, collection = self.lock(), self.lock(alone=True)
        daemon.startService()
        with self.assertRaises(DirectoryBusy) as caught:
            collection.startService()
        self.assertIn("a daemon works on", str(caught.exception))
        daemon.stopService()
        collection.startService()
        with self.assertRaises(DirectoryBusy):
            daemon.startService()
        collection.stopService()
        daemon.startService()

    def test_nowhere(self) -> None:
        """Storage that is no directory has no lock."""
        lock = DirectoryLock("", True)
        lock.startService()
        lock.stopService()
        self.assertFalse(lock.running)
