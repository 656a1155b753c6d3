"""What is at a path of the file system."""

from __future__ import annotations

import errno
import os
import shutil
import socket
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from txregistry.storagedriver.filesystem.stat import (
    identity_of,
    is_nothing,
    list_directory,
    open_file,
    space_of,
    stat_all,
    stat_path,
)


class StatCase(SynchronousTestCase):
    """A directory with a file and a directory in it."""

    def setUp(self) -> None:
        self.root = Path(self.mktemp()).absolute()
        (self.root / "inner").mkdir(parents=True)
        self.file = self.root / "file"
        self.file.write_bytes(b"four")


class StatTests(StatCase):
    """One path."""

    def test_file(self) -> None:
        """A file has its size, its time and an identity."""
        os.utime(self.file, (5, 7))
        found = stat_path(str(self.file), "/file")
        self.assertEqual((found.path, found.size, found.modified_at), ("/file", 4, 7.0))
        self.assertFalse(found.is_directory)
        self.assertTrue(found.identity)

    def test_directory(self) -> None:
        """A directory has neither size nor identity; the root may be missing."""
        found = stat_path(str(self.root / "inner"), "/inner")
        self.assertEqual((found.size, found.identity), (0, ""))
        self.assertTrue(found.is_directory)
        self.assertTrue(stat_path(str(self.root / "gone"), "/").is_directory)
        self.assertEqual(list_directory(str(self.root / "gone"), "/"), [])
        gone = str(self.root / "gone")
        self.assertRaises(FileNotFoundError, stat_path, gone, "/gone")

    def test_identity(self) -> None:
        """It stays when a file is read or moved; writing or copying changes it."""

        def identity(path: Path) -> str:
            return identity_of(os.stat(path))

        before = identity(self.file)
        os.chmod(self.file, 0o600)
        moved = self.file.rename(self.root / "moved")
        moved.read_bytes()
        self.assertEqual(identity(moved), before)
        copy = Path(shutil.copy2(moved, self.root / "copy"))
        self.assertNotEqual(identity(copy), before)
        os.utime(moved, ns=(1, 1))
        self.assertNotEqual(identity(moved), before)
        changed = identity(moved)
        moved.write_bytes(b"longer")
        os.utime(moved, ns=(1, 1))
        self.assertNotEqual(identity(moved), changed)


class ListTests(StatCase):
    """What is in a directory."""

    def test_sorted(self) -> None:
        """Full paths, sorted, without foreign names."""
        for name in ("b", "a", "lost+found"):
            (self.root / name).touch()
        found = list_directory(str(self.root), "/x")
        self.assertEqual(found, ["/x/a", "/x/b", "/x/file", "/x/inner"])
        self.assertEqual(list_directory(str(self.root), "/")[0], "/a")

    def test_all(self) -> None:
        """Only what is wanted is looked at; what cannot be is told with its reason."""
        (self.root / "loop").symlink_to("loop")
        (self.root / "gone").symlink_to("nothing")
        asked: list[str] = []

        def only(path: str) -> bool:
            asked.append(path)
            return path != "/x/inner"

        children = stat_all(str(self.root), "/x", only)
        self.assertEqual([item.path for item in children.found], ["/x/file"])
        ((path, error),) = children.refused
        self.assertEqual((path, error.errno), ("/x/loop", errno.ELOOP))
        self.assertEqual(asked, ["/x/file", "/x/gone", "/x/inner", "/x/loop"])
        self.assertRaises(OSError, stat_all, str(self.file), "/x")


class OpenTests(StatCase):
    """Files that are read."""

    def test_file(self) -> None:
        """A file is opened, and programs that are started do not get it."""
        descriptor = open_file(str(self.file))
        self.addCleanup(os.close, descriptor)
        self.assertEqual(os.pread(descriptor, 10, 0), b"four")
        self.assertFalse(os.get_inheritable(descriptor))

    def test_others(self) -> None:
        """Pipes, sockets, devices and directories are as nothing, and do not block."""
        os.mkfifo(self.root / "pipe")
        bound = socket.socket(socket.AF_UNIX)
        self.addCleanup(bound.close)
        here = os.getcwd()
        os.chdir(self.root)
        self.addCleanup(os.chdir, here)
        bound.bind("socket")
        before = len(os.listdir("/proc/self/fd"))
        for path in (self.root / "pipe", self.root / "socket", self.root, "/dev/zero"):
            error = self.assertRaises(OSError, open_file, str(path))
            self.assertTrue(is_nothing(error), path)
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    def test_nothing(self) -> None:
        """A file in the middle of a path is nothing; a loop is something."""
        for path in ("gone", "file/x"):
            error = self.assertRaises(OSError, open_file, str(self.root / path))
            self.assertTrue(is_nothing(error), path)
        (self.root / "loop").symlink_to("loop")
        error = self.assertRaises(OSError, open_file, str(self.root / "loop"))
        self.assertFalse(is_nothing(error))
        self.assertFalse(is_nothing(PermissionError(errno.EACCES, "no")))
        self.assertFalse(is_nothing(OSError(errno.EIO, "disk")))


class SpaceTests(StatCase):
    """The file system of a directory."""

    def test_space(self) -> None:
        """It is told of a directory that is not there yet as well."""
        found = os.statvfs(self.root)
        for root in (self.root, self.root / "not" / "yet"):
            space = space_of(str(root))
            self.assertEqual(space.total, found.f_blocks * found.f_frsize)
            self.assertTrue(0 < space.free <= space.total)
        self.assertTrue(space_of("").total)
