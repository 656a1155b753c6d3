"""Which file systems are waited for."""

from __future__ import annotations

import os
from unittest.mock import Mock

from twisted.trial.unittest import SynchronousTestCase

from txregistry.storagedriver.filesystem.atomic import put_quickly
from txregistry.storagedriver.filesystem.syncfs import FileSystems, NotCovered


class CheckTests(SynchronousTestCase):
    """A file is looked at before anything is in it."""

    def setUp(self) -> None:
        """Have a place for a file."""
        self.path = os.path.abspath(self.mktemp()) + "/below/file"

    def put(self, systems: FileSystems, content: bytes) -> None:
        """Put a file that is looked at."""
        self.addCleanup(systems.close)
        put_quickly(self.path, content, systems.check)

    def test_covered(self) -> None:
        """Its file system is opened once, before anything is written, and synced."""
        sizes: list[int] = []

        def believe(_: int) -> bool:
            (name,) = os.listdir(os.path.dirname(self.path))
            sizes.append(os.path.getsize(f"{os.path.dirname(self.path)}/{name}"))
            return True

        sync = Mock()
        systems = FileSystems(sync=sync, believes=believe)
        for content in (b"1", b"22"):
            self.put(systems, content)
        systems.sync()
        self.assertEqual(sizes, [0])
        self.assertEqual(sync.call_count, 1)

    def test_keeps_a_directory(self) -> None:
        """What is kept open is no file, whose room could not be given back."""
        systems = FileSystems(believes=lambda _: True)
        self.put(systems, b"1")
        (kept,) = systems._kept.values()
        found = os.readlink(f"/proc/self/fd/{kept}")
        self.assertEqual(found, os.path.dirname(self.path))

    def test_not_covered(self) -> None:
        """If not, nothing is left behind, and what was there stays."""
        put_quickly(self.path, b"before")
        with self.assertRaises(NotCovered):
            self.put(FileSystems(believes=lambda _: False), b"1")
        self.assertEqual(os.listdir(os.path.dirname(self.path)), ["file"])
        with open(self.path, "rb") as file:
            self.assertEqual(file.read(), b"before")
