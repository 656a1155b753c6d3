"""Both drivers are held to the contract."""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from resource import RLIMIT_FSIZE, getrlimit, setrlimit
from unittest.mock import Mock

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow.disk import InlineDisk
from txregistry.interfaces.driver import DriverError, PathNotFound
from txregistry.storagedriver.filesystem.driver import FilesystemDriver
from txregistry.storagedriver.inmemory import MemoryDriver
from txregistry.testing.drivers import driver_suite


def filesystem(case):
    root = case.mktemp()
    return FilesystemDriver(root, InlineDisk())


MemoryDriverTests = driver_suite(lambda case: MemoryDriver(Clock()))
FilesystemDriverTests = driver_suite(filesystem)


class FullDiskTests(SynchronousTestCase):
    """A file that cannot grow any more: the kernel takes a part, and then nothing."""

    def setUp(self) -> None:
        self.root = self.mktemp()
        self.driver = FilesystemDriver(self.root, InlineDisk())
        self.content = os.urandom(100_000)

    def put(self, path: str, durable: bool = True) -> Deferred[None]:
        """Put more than there is room for."""
        soft, hard = getrlimit(RLIMIT_FSIZE)
        setrlimit(RLIMIT_FSIZE, (len(self.content) // 2, hard))
        try:
            return self.driver.put(path, self.content, durable=durable)
        finally:
            setrlimit(RLIMIT_FSIZE, (soft, hard))

    def test_nothing_is_half_written(self) -> None:
        """Both ways of putting a file fail whole, and leave nothing behind."""
        for durable in (True, False):
            self.successResultOf(self.driver.put("/a/b", b"before"))
            self.failureResultOf(self.put("/a/b", durable), DriverError)
            self.assertEqual(self.successResultOf(self.driver.get("/a/b")), b"before")
            self.assertEqual(os.listdir(f"{self.root}/a"), ["b"])

    def test_a_new_file_is_not_there(self) -> None:
        """What did not fit has no name."""
        self.failureResultOf(self.put("/new"), DriverError)
        self.failureResultOf(self.driver.get("/new"), PathNotFound)


class SweepTests(SynchronousTestCase):
    """What a crash left of writes."""

    def setUp(self) -> None:
        self.root = self.mktemp()
        self.driver = FilesystemDriver(self.root, InlineDisk())
        for number in range(300):
            self.successResultOf(self.driver.put(f"/a/{number}/link", b"x"))

    def leave(self, path: str, age: float) -> None:
        with open(f"{self.root}{path}.{uuid.uuid4()}.tmp", "xb") as file:
            os.utime(file.fileno(), (0, 1_000_000 - age))

    def left(self) -> list[str]:
        return [str(found) for found in Path(self.root).rglob("*.tmp")]

    def test_old_ones_go(self) -> None:
        """Those that are younger stay, and so does what only looks like one."""
        for number in (0, 1, 299):
            self.leave(f"/a/{number}/link", 11)
        self.leave("/a/7/link", 9)
        self.successResultOf(self.driver.put("/a/link.tmp", b"mine"))
        done = self.driver.sweep("/", 1_000_000 - 10)
        self.assertEqual(self.successResultOf(done), 3)
        self.assertEqual(len(self.left()), 2)
        self.assertEqual(len(self.successResultOf(self.driver.list("/a"))), 301)

    def test_below_a_path_only(self) -> None:
        """Others are not looked at."""
        self.leave("/a/1/link", 11)
        self.leave("/a/2/link", 11)
        self.assertEqual(self.successResultOf(self.driver.sweep("/a/1", 1e6)), 1)
        self.assertEqual(len(self.left()), 1)

    def test_nothing_there(self) -> None:
        """A root that was never written to has nothing to be swept."""
        driver = FilesystemDriver(self.mktemp(), InlineDisk())
        self.assertEqual(self.successResultOf(driver.sweep("/", 1e6)), 0)

    def test_one_that_cannot_be_deleted(self) -> None:
        """It is told by the driver's own error."""
        self.leave("/a/1/link", 11)
        self.patch(os, "unlink", Mock(side_effect=PermissionError(13, "not yours")))
        self.failureResultOf(self.driver.sweep("/", 1e6), DriverError)
