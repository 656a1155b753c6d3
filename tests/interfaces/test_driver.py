"""Errors of drivers."""

from __future__ import annotations

import errno

from twisted.trial.unittest import SynchronousTestCase

from txregistry.interfaces.driver import (
    DriverError,
    InvalidOffset,
    InvalidPath,
    PathNotFound,
    refused_by_disk,
)


class ErrorTests(SynchronousTestCase):
    """What an error says."""

    def test_text(self) -> None:
        """Driver, path and reason; without a reason, its kind."""
        error = DriverError("inmemory", "/a", "no space")
        self.assertEqual(str(error), "inmemory: /a: no space")
        self.assertEqual((error.driver, error.path), ("inmemory", "/a"))
        for kind in (PathNotFound, InvalidPath, InvalidOffset):
            self.assertIsInstance(kind("d", "/a"), DriverError)
            self.assertEqual(str(kind("d", "/a")), f"d: /a: {kind.__name__}")


class RefusedTests(SynchronousTestCase):
    """A disk that takes nothing new."""

    def error(self, number: int) -> DriverError:
        told = DriverError("filesystem", "/a", "why")
        told.__cause__ = OSError(number, "why")
        return told

    def test_refused(self) -> None:
        """No room, a quota, a limit, a read-only file system and a broken disk."""
        for number in (
            errno.ENOSPC,
            errno.EDQUOT,
            errno.EFBIG,
            errno.EROFS,
            errno.EIO,
        ):
            self.assertTrue(refused_by_disk(self.error(number)))
            self.assertTrue(refused_by_disk(OSError(number, "why")))

    def test_others(self) -> None:
        """Missing rights, or an error without a reason of the system, are another."""
        self.assertFalse(refused_by_disk(self.error(errno.EACCES)))
        self.assertFalse(refused_by_disk(DriverError("s3", "/a", "503")))
        self.assertFalse(refused_by_disk(None))
