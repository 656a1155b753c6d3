"""The grammar of driver paths."""

from __future__ import annotations

from uuid import uuid4

from twisted.trial.unittest import SynchronousTestCase

from txregistry.interfaces.driver import InvalidPath
from txregistry.interfaces.driverpaths import (
    ROOT,
    check_directory,
    check_file,
    child,
    is_name,
    is_temporary,
)


class PathTests(SynchronousTestCase):
    """Paths that a driver accepts."""

    def test_files(self) -> None:
        """Names of letters, digits and ``._-``, each after a slash."""
        for path in ("/a", "/a/b.c/D_e-9", "/.hidden", "/a/...", "/-"):
            self.assertEqual(check_file("d", path), path)

    def test_refused(self) -> None:
        """What climbs, is relative, or has other characters; the driver is named."""
        for path in (
            "",
            "a",
            "/",
            "//a",
            "/a/",
            "/a//b",
            "/..",
            "/a/../b",
            "/a b",
            "/a\n",
            "/é",
            "/a\x00",
            "/a:b",
        ):
            error = self.assertRaises(InvalidPath, check_file, "disk", path)
            self.assertIn("disk", str(error), path)

    def test_directories(self) -> None:
        """A directory may be the root as well, and nothing else."""
        for path in (ROOT, "/a"):
            self.assertEqual(check_directory("d", path), path)
        for path in ("", "/a/", "/.."):
            self.assertRaises(InvalidPath, check_directory, "d", path)


class NameTests(SynchronousTestCase):
    """Names of what lies in a directory."""

    def test_writes_under_way(self) -> None:
        """Names that end as temporary files of ours or Go do are passed over."""
        for ending in (str(uuid4()), uuid4().hex):
            name = f"data.{ending}.tmp"
            self.assertTrue(is_temporary(name), name)
            self.assertFalse(is_name(name), name)
        for name in ("data.tmp", f"data.{uuid4()}", f"x{uuid4()}.tmp", "a.tmp.b"):
            self.assertFalse(is_temporary(name), name)
            self.assertTrue(is_name(name), name)

    def test_foreign_names(self) -> None:
        """What cannot be part of a path is no name of ours."""
        for name in ("lost+found", "@eaDir", "a b", "", "a/b", "é"):
            self.assertFalse(is_name(name), name)
        for name in (".Trash-0", "a", "_layers"):
            self.assertTrue(is_name(name), name)

    def test_child(self) -> None:
        """What lies in the root has one slash before it."""
        self.assertEqual(child(ROOT, "a"), "/a")
        self.assertEqual(child("/a", "b"), "/a/b")
