"""Changes that are durable together."""

from __future__ import annotations

import os
from pathlib import Path
from resource import RLIMIT_FSIZE, getrlimit, setrlimit

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow.disk import InlineDisk
from txregistry.interfaces.driver import (
    DriverError,
    MoveFile,
    PathNotFound,
    PutFile,
    RemoveTree,
)
from txregistry.storagedriver.filesystem.atomic import apply_changes, remove_tree
from txregistry.storagedriver.filesystem.driver import FilesystemDriver


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


class ApplyTests(SynchronousTestCase):
    """Several changes, in order."""

    def setUp(self) -> None:
        self.root = Path(self.mktemp())
        self.root.mkdir()

    def path(self, name: str) -> str:
        return str(self.root / name)

    def names(self) -> list[str]:
        return sorted(str(p.relative_to(self.root)) for p in self.root.rglob("*"))

    def test_changes(self) -> None:
        """Files are put, moved over others, and trees removed; directories are made."""
        (self.root / "up").write_bytes(b"data")
        (self.root / "old" / "below").mkdir(parents=True)
        apply_changes(
            [
                MoveFile(self.path("up"), self.path("a/b/data"), sync=True),
                PutFile(self.path("c/link"), b"1"),
                PutFile(self.path("c/link"), b"2"),
                RemoveTree(self.path("old")),
                RemoveTree(self.path("never")),
            ]
        )
        self.assertEqual(self.names(), ["a", "a/b", "a/b/data", "c", "c/link"])
        self.assertEqual((self.root / "a/b/data").read_bytes(), b"data")
        self.assertEqual((self.root / "c/link").read_bytes(), b"2")

    def test_failure(self) -> None:
        """What follows a change that fails is not made; no half is left."""
        changes = [
            PutFile(self.path("first"), b"1"),
            MoveFile(self.path("gone"), self.path("moved")),
            PutFile(self.path("last"), b"2"),
        ]
        self.assertRaises(OSError, apply_changes, changes)
        self.assertNotIn("last", self.names())
        self.assertEqual([name for name in self.names() if ".tmp" in name], [])

    def test_removed_tree(self) -> None:
        """A tree goes with all in it; a link goes itself, and not what it leads to."""
        (self.root / "tree" / "a" / "b").mkdir(parents=True)
        (self.root / "kept").mkdir()
        (self.root / "kept" / "file").touch()
        (self.root / "tree" / "link").symlink_to("../kept")
        (self.root / "link").symlink_to("kept")
        for name in ("tree", "link", "never"):
            remove_tree(self.path(name))
        self.assertEqual(self.names(), ["kept", "kept/file"])
