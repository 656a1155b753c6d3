"""Blocking work on paths."""

from __future__ import annotations

import errno
import os
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow.disk import InlineDisk
from txregistry.interfaces.driver import (
    DriverError,
    FileBusy,
    InvalidPath,
    PathNotFound,
)
from txregistry.storagedriver.filesystem.path_work import PathWork


class CountingDisk(InlineDisk):
    """A pool that counts what it does."""

    jobs = 0

    def run(self, work: Any, *args: Any, **kwargs: Any) -> Deferred[Any]:
        self.jobs += 1
        return super().run(work, *args, **kwargs)


class PathWorkTests(SynchronousTestCase):
    """Where it is done, and how it fails."""

    def setUp(self) -> None:
        self.disk = CountingDisk()

    def work(self, is_shared: bool = False, may_wait: bool | None = None) -> PathWork:
        return PathWork("files", "/root", self.disk, is_shared, may_wait)

    def test_places(self) -> None:
        """Files lie below the root; the root itself is a directory, and no file."""
        work = self.work()
        self.assertEqual(work.file("/a/b")(), "/root/a/b")
        self.assertEqual(work.directory("/")(), "/root")
        for path in ("/", "a", "/../etc"):
            failing = work.here(path, os.stat, work.file(path))
            self.failureResultOf(failing, InvalidPath)
            failing = work.there(path, os.stat, work.file)
            self.failureResultOf(failing, InvalidPath)

    def test_here(self) -> None:
        """Quick work needs no thread, unless each look may wait for a network."""
        for shared, may_wait, jobs in (
            (False, None, 0),
            (False, True, 0),
            (True, False, 0),
            (True, True, 1),
        ):
            self.disk.jobs = 0
            work = self.work(shared, may_wait)
            found = work.here("/a", lambda real, more: (real, more), work.file("/a"), 1)
            self.assertEqual(self.successResultOf(found), ("/root/a", 1))
            self.assertEqual(self.disk.jobs, jobs, (shared, may_wait))

    def test_there(self) -> None:
        """Other work is done on the pool."""
        work = self.work()
        found = work.there("/a", lambda real: real, work.directory)
        self.assertEqual(self.successResultOf(found), "/root/a")
        self.assertEqual(self.disk.jobs, 1)

    def test_later(self) -> None:
        """Work that goes on elsewhere is waited for, and fails in the same way."""
        work = self.work()
        for later, expected in (
            (succeed(1), None),
            (fail(OSError(errno.EIO, "broken")), DriverError),
            (fail(ValueError("other")), ValueError),
        ):
            done = work.here("/a", lambda _, later=later: later, work.file("/a"))
            if expected is None:
                self.assertEqual(self.successResultOf(done), 1)
            else:
                self.failureResultOf(done, expected)

    def test_failures(self) -> None:
        """What the system says is told as what it is to the driver."""
        for code, shared, expected in (
            (errno.ENOENT, False, PathNotFound),
            (errno.ENOTDIR, False, PathNotFound),
            (errno.EBUSY, True, FileBusy),
            (errno.EBUSY, False, DriverError),
            (errno.ENOSPC, False, DriverError),
        ):
            error = OSError(code, os.strerror(code), "/root/a")

            def fails(_: str, error: OSError = error) -> None:
                raise error

            work = self.work(shared, may_wait=False)
            for done in (
                work.here("/a", fails, work.file("/a")),
                work.there("/a", fails, work.file),
            ):
                told = self.failureResultOf(done, DriverError).value
                self.assertIs(type(told), expected)
                # What is not there is frequent, and says all by itself.
                cause = None if expected is PathNotFound else error
                self.assertIs(told.__cause__, cause)
