"""Drivers, found by their names."""

from __future__ import annotations

import os

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.offers import Point, offer
from txregistry.flow.disk import InlineDisk
from txregistry.interfaces.driver import IStorageDriver
from txregistry.storagedriver.filesystem.driver import FilesystemDriver
from txregistry.storagedriver.inmemory import MemoryDriver
from txregistry.storagedriver.maker import DriverUnknown, make_driver
from txregistry.storagedriver.offered import STORAGE_DRIVERS


class MakerTests(SynchronousTestCase):
    """What is made."""

    def make(self, name: str, **parameters: object) -> object:
        return make_driver(name, parameters, InlineDisk(), Clock())

    def test_ours(self) -> None:
        """Both of ours are known and made, at the root that is given."""
        self.assertLessEqual({"filesystem", "inmemory"}, {*STORAGE_DRIVERS})
        memory, root = self.make("inmemory"), self.mktemp()
        files = self.make("filesystem", rootdirectory=root)
        self.assertIsInstance(memory, MemoryDriver)
        self.assertIsInstance(files, FilesystemDriver)
        for driver in (memory, files):
            verifyObject(IStorageDriver, driver)
        self.successResultOf(files.put("/a", b"x"))
        self.assertEqual(os.listdir(root), ["a"])

    def test_unknown(self) -> None:
        """A name that nobody provides is told with those that are."""
        error = self.assertRaises(DriverUnknown, self.make, "nosuch")
        self.assertIn("'nosuch' is none of filesystem, inmemory", str(error))

    def test_others(self) -> None:
        """Other packages' drivers are known by name, and imported when made."""
        point = Point("other", lambda parameters, disk, clock: parameters)
        offer(self, STORAGE_DRIVERS, point)
        self.assertEqual(STORAGE_DRIVERS.others, {"other"})
        self.assertEqual(point.loaded, 0)
        self.assertEqual(self.make("other", key=1), {"key": 1})
