"""Both drivers are held to the contract."""

from __future__ import annotations

import os
from resource import RLIMIT_FSIZE, getrlimit, setrlimit

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow.disk import InlineDisk
from txregistry.interfaces.driver import DriverError, PathNotFound
from txregistry.storagedriver.filesystem import FilesystemDriver
from txregistry.storagedriver.memory import MemoryDriver
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
