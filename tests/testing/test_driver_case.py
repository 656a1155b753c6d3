"""Short words for the verbs of a driver."""

from __future__ import annotations

from twisted.internet.task import Clock
from zope.interface import implementer_only

from txregistry.interfaces.driver import IStorageDriver
from txregistry.storagedriver.inmemory import MemoryDriver
from txregistry.testing.driver_case import DriverCase


@implementer_only(IStorageDriver)
class WholeFiles(MemoryDriver):
    """Files are there when they are complete."""


class DriverCaseTests(DriverCase):
    """On the driver in memory."""

    def setUp(self) -> None:
        super().setUp()
        self.driver = MemoryDriver(Clock())

    def test_files(self) -> None:
        """What was put or written is read, whole or in part."""
        self.put("/a/b", b"content")
        self.assertEqual(self.content("/a/b"), b"content")
        self.assertEqual(self.read(self.open("/a/b"), 3, 2), b"te")
        self.ok(self.write("/a/c", 0, b"one", b"two").commit())
        self.assertEqual(self.content("/a/c"), b"onetwo")
        self.assertNotEqual(self.identity("/a/b"), self.identity("/a/c"))

    def test_directories(self) -> None:
        """Scans and walks end in lists."""
        self.put("/a/b", b"")
        self.assertEqual(self.scan("/a"), ["/a/b"])
        self.assertEqual(self.walk("/"), ["/a", "/a/b"])

    def test_growing_files(self) -> None:
        """A test that needs them is skipped where there are none."""
        self.need_growing_files()
        self.driver = WholeFiles(Clock())
        with self.assertRaises(Exception) as raised:
            self.need_growing_files()
        self.assertEqual(type(raised.exception).__name__, "SkipTest")
