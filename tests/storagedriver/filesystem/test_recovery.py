"""What is made good after a power failure."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from txregistry.interfaces.driver import InvalidPath
from txregistry.storagedriver.filesystem.journal.records import Outcome
from txregistry.storagedriver.filesystem.recovery import (
    TOLERANCE_SECONDS,
    RecoveryPlan,
    carry_out,
    plan,
)

#: When the last step was written down; files of tests are older unless they say so.
UNTIL = 1_000_000.0
LATER = UNTIL + TOLERANCE_SECONDS + 1


class RecoveryCase(SynchronousTestCase):
    """A directory as a power failure has left it."""

    def setUp(self) -> None:
        self.root = os.path.realpath(self.mktemp())
        os.makedirs(self.root)

    def put(self, path: str, content: bytes, at: float = UNTIL) -> str:
        """Have a file in a directory that has changed at the same time."""
        real = Path(self.root + path)
        real.parent.mkdir(parents=True, exist_ok=True)
        real.write_bytes(content)
        os.utime(real, (at, at))
        os.utime(real.parent, (at, at))
        return str(real)

    def plan(
        self,
        files: dict[str, bytes] | None = None,
        deleted: Sequence[str] = (),
        rewrite: bool = False,
    ) -> RecoveryPlan:
        return plan(Outcome(deleted, files or {}), self.root, UNTIL, rewrite)

    def contents(self) -> dict[str, bytes]:
        return {
            str(path)[len(self.root) :]: path.read_bytes()
            for path in Path(self.root).rglob("*")
            if path.is_file()
        }


class FileTests(RecoveryCase):
    """Files that should be there."""

    def test_as_it_should_be(self) -> None:
        """Nothing is to be done."""
        self.put("/a/b", b"content")
        self.assertEqual(self.plan({"/a/b": b"content"}), RecoveryPlan())

    def test_wrong(self) -> None:
        """Old, empty, cut off, or not there: it is put again."""
        for content in (b"old", b"", b"cont"):
            path = self.put("/a/b", content)
            found = self.plan({"/a/b": b"content"})
            expected = RecoveryPlan(files={path: b"content"}, mended=1)
            self.assertEqual(found, expected, content)
        os.unlink(path)
        os.utime(self.root + "/a", (UNTIL, UNTIL))
        self.assertEqual(self.plan({"/a/b": b"content"}), expected)

    def test_looking_changes_nothing(self) -> None:
        """Only carrying it out does."""
        self.put("/a/b", b"old")
        self.put("/c", b"gone")
        found = self.plan({"/a/b": b"new", "/d/e": b"made"}, ["/c"])
        self.assertEqual(self.contents(), {"/a/b": b"old", "/c": b"gone"})
        for _ in range(2):
            carry_out(found)
            self.assertEqual(self.contents(), {"/a/b": b"new", "/d/e": b"made"})

    def test_changed_since(self) -> None:
        """What has changed clearly later is another's, and is left."""
        self.put("/a/b", b"other", at=LATER)
        found = self.plan({"/a/b": b"content"})
        self.assertEqual(found, RecoveryPlan(left=1))

    def test_times_are_coarse(self) -> None:
        """What is only a little newer is ours."""
        self.put("/a/b", b"old", at=UNTIL + TOLERANCE_SECONDS)
        self.assertEqual(self.plan({"/a/b": b"content"}).mended, 1)

    def test_taken_away_since(self) -> None:
        """A file that is not there has changed when its directory has."""
        self.put("/a/other", b"", at=LATER)
        self.assertEqual(self.plan({"/a/b": b"content"}), RecoveryPlan(left=1))
        self.assertEqual(self.plan({"/a/x/y/b": b"content"}), RecoveryPlan(left=1))

    def test_right_though_it_has_changed(self) -> None:
        """What is as it should be is nobody's business."""
        self.put("/a/b", b"content", at=LATER)
        self.assertEqual(self.plan({"/a/b": b"content"}), RecoveryPlan())

    def test_rewriting(self) -> None:
        """What seems right is put again, and not counted as wrong."""
        right = self.put("/a/b", b"content")
        wrong = self.put("/a/c", b"")
        found = self.plan({"/a/b": b"content", "/a/c": b"x"}, rewrite=True)
        files = {right: b"content", wrong: b"x"}
        self.assertEqual(found, RecoveryPlan(files=files, mended=1))

    def test_invalid_paths(self) -> None:
        """A journal leads nowhere else."""
        for path in ("/../x", "x", "", "/a//b", "/a/../../b", "/a\x00"):
            for files, deleted in (({path: b""}, ()), ({}, [path])):
                with self.assertRaises(InvalidPath):
                    self.plan(files, deleted)


class DeletionTests(RecoveryCase):
    """Files that should be gone."""

    def test_gone(self) -> None:
        """What is not there need not be deleted."""
        self.assertEqual(self.plan(deleted=["/a", "/b/c"]), RecoveryPlan())

    def test_file(self) -> None:
        """A file that is back is deleted."""
        path = self.put("/a/b", b"")
        found = self.plan(deleted=["/a/b"])
        self.assertEqual(found, RecoveryPlan(deletions=[path], mended=1))
        carry_out(found)
        self.assertEqual(os.listdir(self.root + "/a"), [])

    def test_directory(self) -> None:
        """One that is back goes with all below it; what is beside it stays."""
        for path in ("/a/b/c", "/a/b/d/e", "/a/bb"):
            self.put(path, b"")
        os.makedirs(self.root + "/a/b/empty/inner")
        found = self.plan(deleted=["/a/b"])
        self.assertEqual((found.mended, found.left), (2, 0))
        carry_out(found)
        self.assertEqual(os.listdir(self.root + "/a"), ["bb"])

    def test_put_again_afterwards(self) -> None:
        """What was put after the directory was deleted stays, or is made good."""
        self.put("/a/b/kept", b"kept")
        self.put("/a/b/gone", b"")
        files = {"/a/b/kept": b"kept", "/a/b/missing": b"made"}
        found = self.plan(files, ["/a/b"])
        carry_out(found)
        self.assertEqual(self.contents(), files)

    def test_changed_since(self) -> None:
        """What has come later is another's, and is left where it is."""
        self.put("/a/b/ours", b"")
        self.put("/a/b/other", b"", at=LATER)
        found = self.plan(deleted=["/a/b"])
        self.assertEqual((found.mended, found.left), (1, 1))
        carry_out(found)
        self.assertEqual(self.contents(), {"/a/b/other": b""})

    def test_deleted_twice(self) -> None:
        """A file in a directory that was deleted as well counts once."""
        self.put("/a/b/c", b"")
        self.put("/a/b/d", b"", at=LATER)
        found = self.plan(deleted=["/a/b/c", "/a/b/d", "/a/b", "/a"])
        self.assertEqual((found.mended, found.left), (1, 1))

    def test_links_to_directories(self) -> None:
        """They are deleted themselves: what they lead to is not ours."""
        other = self.put("/other/file", b"mine")
        os.makedirs(self.root + "/a/b")
        links = [f"{self.root}/a/b/inner", f"{self.root}/a/outer"]
        for link in links:
            os.symlink(f"{self.root}/other", link)
            os.utime(link, (UNTIL, UNTIL), follow_symlinks=False)
        found = self.plan(deleted=["/a/b", "/a/outer"])
        self.assertEqual((found.deletions, found.mended), (links, 2))
        carry_out(found)
        self.assertEqual(os.listdir(self.root + "/a"), [])
        self.assertEqual(Path(other).read_bytes(), b"mine")
