"""Walks of a tree of files."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow.disk import InlineDisk
from txregistry.interfaces.driver import DriverError
from txregistry.storagedriver.filesystem import stat
from txregistry.storagedriver.filesystem.path_work import PathWork
from txregistry.storagedriver.filesystem.walking import walk_below


class WalkingTests(SynchronousTestCase):
    """What is visited, and what cannot be."""

    def setUp(self) -> None:
        self.root = self.mktemp()
        for name in ("a/x", "b/y", "c/z"):
            os.makedirs(f"{self.root}/{os.path.dirname(name)}")
            with open(f"{self.root}/{name}", "wb") as file:
                file.write(b"1")
        self.work = PathWork("files", self.root, InlineDisk(), False, None)
        self.told: list[DriverError] = []

    def visited(self, path: str = "/", told: Any = None, only: Any = None) -> list[str]:
        """Give what a walk visits."""

        async def visit() -> list[str]:
            return [at.path async for at in walk_below(self.work, path, only, told)]

        return self.successResultOf(Deferred.fromCoroutine(visit()))

    def refuse(self, name: str) -> None:
        """Have a directory refused, as by its permissions, also to root."""
        scandir = os.scandir

        def refusing(path: str) -> Any:
            if os.path.basename(path) == name:
                raise PermissionError(13, "refused", path)
            return scandir(path)

        self.patch(stat.os, "scandir", refusing)

    def test_all(self) -> None:
        """Each directory comes before what lies in it."""
        self.assertEqual(
            sorted(self.visited()), ["/a", "/a/x", "/b", "/b/y", "/c", "/c/z"]
        )
        self.assertEqual(self.visited("/a"), ["/a/x"])
        self.assertEqual(self.visited("/none"), [])

    def test_some(self) -> None:
        """What is not wanted is not visited, nor what lies in it."""
        found = self.visited(only=lambda path: path != "/b")
        self.assertEqual(sorted(found), ["/a", "/a/x", "/c", "/c/z"])

    def test_refused(self) -> None:
        """What cannot be read is told, and the walk goes on."""
        self.refuse("b")
        found = self.visited(told=self.told.append)
        self.assertEqual(sorted(found), ["/a", "/a/x", "/b", "/c", "/c/z"])
        (error,) = self.told
        self.assertIn("/b", str(error))

    def test_refused_to_nobody(self) -> None:
        """Without somebody to tell it fails."""
        self.refuse("b")

        async def visit() -> None:
            async for _ in walk_below(self.work, "/", None, None):
                pass

        self.failureResultOf(Deferred.fromCoroutine(visit()), DriverError)
