"""Changes that a driver is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.flow.changes import CONTENT, ChangeTimes
from txregistry.interfaces.driver import (
    IStorageDriver,
    MoveFile,
    PathNotFound,
    PutFile,
    RemoveTree,
)
from txregistry.storage.tree.changes import ChangesDriver, deleted, removed, written
from txregistry.storagedriver.inmemory import MemoryDriver

TREE = "/docker/registry/v2"
LINK = f"{TREE}/repositories/team/app/_manifests/tags/v1/current/link"
DATA = f"{TREE}/blobs/sha256/ab/abc/data"
UPLOAD = f"{TREE}/repositories/team/app/_uploads/1/data"
FILL = "/txregistry/fills/sha256/abc/data"


class SubjectTests(SynchronousTestCase):
    """What a path is about."""

    def test_subjects(self) -> None:
        """A repository, all of them, or nothing that a client could have."""
        for path, on_writing, on_removing in (
            (LINK, "team/app", "team/app"),
            (f"{TREE}/repositories/a/_layers/sha256/b/link", "a", "a"),
            (f"{TREE}/repositories/team/app", "", ""),
            (f"{TREE}/repositories", "", ""),
            (DATA, None, ""),
            (f"{TREE}/blobs", "", ""),
            (TREE, "", ""),
            ("/docker", "", ""),
            ("/", "", ""),
            (UPLOAD, None, None),
            (f"{TREE}/repositories/team/app/_uploads", None, None),
            (FILL, None, None),
            ("/scheduler-state.json", None, None),
        ):
            self.assertEqual((written(path), removed(path)), (on_writing, on_removing))
            on_deleting = CONTENT if path == DATA else on_removing
            self.assertEqual(deleted(path), on_deleting)


class Loose(MemoryDriver):
    """A driver whose methods a test may replace."""


class ChangesDriverTests(SynchronousTestCase):
    """A driver whose changes are noted."""

    def setUp(self) -> None:
        self.changes = ChangeTimes()
        self.memory: Any = Loose(Clock())
        self.driver: Any = ChangesDriver(self.memory, self.changes)

    def noted(self, change: Callable[[], Deferred[Any]]) -> list[str]:
        """Give what of some subjects has changed by a change that succeeds."""
        then = self.changes.now
        self.successResultOf(change())
        subjects = ("team/app", "other", CONTENT)
        return [name for name in subjects if self.changes.since(then, name)]

    def test_it_is_a_driver(self) -> None:
        """It has all that the other has."""
        verifyObject(IStorageDriver, self.driver)
        self.assertEqual(self.driver.name, self.memory.name)

    def test_changes_of_each_kind(self) -> None:
        """Links concern their repository, and content nobody else."""
        put, apply = self.driver.put, self.driver.apply
        self.assertEqual(self.noted(lambda: put(LINK, b"x")), ["team/app"])
        self.assertEqual(self.noted(lambda: put(UPLOAD, b"x")), [])
        self.assertEqual(self.noted(lambda: self.driver.move(UPLOAD, DATA)), [])
        self.assertEqual(self.noted(lambda: put(FILL, b"x")), [])
        steps = [MoveFile(FILL, DATA), PutFile(LINK, b"y"), RemoveTree(f"{UPLOAD}s")]
        self.assertEqual(self.noted(lambda: apply(steps)), ["team/app"])
        gone = [RemoveTree(f"{TREE}/blobs/sha256/ab/abc")]
        self.assertEqual(self.noted(lambda: apply(gone)), [CONTENT])
        self.successResultOf(self.memory.put(f"{DATA}x", b"x"))
        self.assertEqual(self.noted(lambda: self.driver.delete(f"{DATA}x")), [CONTENT])
        self.assertEqual(self.noted(lambda: self.driver.delete(LINK)), ["team/app"])

    def test_damage_concerns_all(self) -> None:
        """Content that is moved away is nobody's any more."""
        self.successResultOf(self.memory.put(DATA, b"x"))
        moved = self.noted(lambda: self.driver.move(DATA, "/txregistry/damaged/x"))
        self.assertEqual(moved, ["team/app", "other", CONTENT])

    def test_while_it_is_made(self) -> None:
        """From before it can be seen, until what follows a delete is over as well."""
        waits: Deferred[None] = Deferred()
        self.memory.prune = lambda path, stop: waits
        for change in (
            lambda: self.driver.prune(path=LINK, stop=TREE),
            lambda: self.driver.delete(path=LINK),
        ):
            waits = Deferred()
            self.memory.delete = lambda path, durable, waits=waits: waits
            self.memory.prune = lambda path, stop, waits=waits: waits
            change()
            self.assertTrue(self.changes.since(self.changes.now, "team/app"))
            waits.callback(None)
            self.assertFalse(self.changes.since(self.changes.now, "team/app"))

    def test_a_change_that_fails(self) -> None:
        """It counts: a part of it may have been made."""
        then = self.changes.now
        self.failureResultOf(self.driver.delete(LINK), PathNotFound)
        self.assertTrue(self.changes.since(then, "team/app"))
