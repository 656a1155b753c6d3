"""Drivers, found by their names."""

from __future__ import annotations

import os

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.flow.disk import InlineDisk
from txregistry.interfaces.driver import IStorageDriver
from txregistry.storagedriver import maker
from txregistry.storagedriver.filesystem.driver import FilesystemDriver
from txregistry.storagedriver.inmemory import MemoryDriver
from txregistry.storagedriver.maker import DriverUnknown, known_drivers, make_driver


class Point:
    """An entry point of another package."""

    name = "other"
    loaded = 0

    def load(self) -> object:
        Point.loaded += 1
        return lambda parameters, disk, clock: (parameters, disk, clock)


class MakerTests(SynchronousTestCase):
    """What is made."""

    def make(self, name: str, **parameters: object) -> object:
        return make_driver(name, parameters, InlineDisk(), Clock())

    def test_ours(self) -> None:
        """Both of ours are known and made, at the root that is given."""
        self.assertLessEqual({"filesystem", "inmemory"}, known_drivers())
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
        error = self.assertRaises(DriverUnknown, self.make, "s3")
        self.assertIn("'s3' is none of filesystem, inmemory", str(error))

    def test_others(self) -> None:
        """Other packages' drivers are known by name, and imported when made."""
        self.patch(maker, "entry_points", lambda group: [Point()])
        self.assertEqual(known_drivers(), {"other"})
        self.assertEqual(Point.loaded, 0)
        parameters, _, _ = self.make("other", key=1)
        self.assertEqual((parameters, Point.loaded), ({"key": 1}, 1))
