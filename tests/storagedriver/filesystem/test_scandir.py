"""Names in a directory."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from txregistry.storagedriver.filesystem.scandir import pack, unpacked


class PackTests(SynchronousTestCase):
    """Names, packed and given again."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        (self.directory / "inner").mkdir(parents=True)

    def names(self) -> set[str]:
        return set(unpacked(pack(str(self.directory))))

    def test_names(self) -> None:
        """Files and directories, each once; an empty directory has none."""
        for name in ("a", ".b", "c.d"):
            (self.directory / name).touch()
        self.assertEqual(self.names(), {"a", ".b", "c.d", "inner"})
        self.assertEqual(pack(str(self.directory / "inner")), b"")
        self.assertEqual(list(unpacked(b"")), [])

    def test_foreign_names(self) -> None:
        """Names that no path of ours has, and writes under way, are left out."""
        for name in ("lost+found", "a b", f"link.{uuid.uuid4()}.tmp", "\udcff"):
            (self.directory / name).touch()
        self.assertEqual(self.names(), {"inner"})

    def test_loops(self) -> None:
        """A link to the directory or one above is left out; others are not."""
        (self.directory / "inner" / "x").touch()
        for name, target in (
            ("self", "."),
            ("above", ".."),
            ("root", "/"),
            ("beside", "inner"),
            ("file", "inner/x"),
            ("nothing", "gone"),
        ):
            (self.directory / name).symlink_to(target)
        self.assertEqual(self.names(), {"inner", "beside", "file", "nothing"})

    def test_memory(self) -> None:
        """A name costs its length and a byte, not an object."""
        for number in range(100):
            (self.directory / f"{number:03}").touch()
        self.assertEqual(len(pack(str(self.directory))), 100 * 4 + len("inner") + 1)

    def test_unreadable(self) -> None:
        """What is no directory is an ``OSError``, and no descriptor is left open."""
        before = len(os.listdir("/proc/self/fd"))
        self.assertRaises(OSError, pack, str(self.directory / "gone"))
        (self.directory / "file").touch()
        self.assertRaises(OSError, pack, str(self.directory / "file"))
        self.names()
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)
