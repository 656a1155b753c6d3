"""A directory for one process."""

from __future__ import annotations

import os
import stat

from twisted.trial.unittest import SynchronousTestCase

from txregistry.daemon.temporary import TemporaryDirectory


class TemporaryDirectoryTests(SynchronousTestCase):
    """It is there as long as the service runs."""

    def test_life(self) -> None:
        """For nobody else, and gone with what is in it."""
        path = self.mktemp()
        service = TemporaryDirectory(path)
        self.assertFalse(os.path.exists(path))
        service.startService()
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o700)
        with open(os.path.join(path, "file"), "w") as file:
            file.write("x")
        service.stopService()
        self.assertFalse(os.path.exists(path))

    def test_taken(self) -> None:
        """One that is there already is nobody's to delete."""
        path = self.mktemp()
        os.mkdir(path)
        with self.assertRaises(FileExistsError):
            TemporaryDirectory(path).startService()
