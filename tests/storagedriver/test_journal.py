"""What is acknowledged outlives a power failure, by way of the journal."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.flow.disk import InlineDisk
from txregistry.interfaces.driver import (
    DriverError,
    IJournaled,
    MoveFile,
    PathNotFound,
    PutFile,
    RemoveTree,
)
from txregistry.storagedriver import changes as changes_module
from txregistry.storagedriver import commits, segment
from txregistry.storagedriver.filesystem import FilesystemDriver
from txregistry.storagedriver.segment import JournalUnreadable
from txregistry.testing.drivers import driver_suite

DIRECTORY = "/own/journal"


def journaled(case: SynchronousTestCase) -> FilesystemDriver:
    driver = FilesystemDriver(case.mktemp(), InlineDisk())
    case.successResultOf(driver.open_journal(DIRECTORY))
    return driver


class JournaledDriverTests(driver_suite(journaled)):
    """The whole contract, with a journal."""

    def test_list_of_the_empty_root(self) -> None:
        """It has the journal."""
        self.assertEqual(self.ok(self.driver.list(path="/")), ["/own"])


class Slow:
    """A disk whose jobs are done when told."""

    def __init__(self) -> None:
        self.jobs: list[tuple[Deferred, Callable]] = []

    def run(self, work, *args):
        done = Deferred()
        self.jobs.append((done, lambda: work(*args)))
        return done

    def do(self) -> None:
        """Do what waits, and what comes of it."""
        while self.jobs:
            done, work = self.jobs.pop(0)
            done.callback(work())


def contents(root: str) -> dict[str, bytes]:
    """Give all files but those of the journal."""
    found = {}
    for path in Path(root).rglob("*"):
        name = str(path)[len(str(Path(root))) :]
        if path.is_file() and not name.startswith(DIRECTORY):
            found[name] = path.read_bytes()
    return found


class JournalCase(SynchronousTestCase):
    """A driver with a journal, on a machine that can be started anew."""

    def setUp(self) -> None:
        self.root = self.mktemp()
        self.driver = self.start("first")

    def start(self, boot: str) -> FilesystemDriver:
        """Open the directory in some run of the kernel."""
        driver = FilesystemDriver(self.root, InlineDisk(), boot_id=lambda: boot)
        self.mended = self.ok(driver.open_journal(DIRECTORY))
        return driver

    def ok(self, done: Deferred):
        return self.successResultOf(done)

    def start_on(self, disk: Slow) -> FilesystemDriver:
        """Open another directory, on a disk of its own."""
        driver = FilesystemDriver(self.mktemp(), disk)
        opening = driver.open_journal(DIRECTORY)
        disk.do()
        self.ok(opening)
        return driver

    def put(self, path: str, content: bytes) -> None:
        self.ok(self.driver.put(path, content))

    def lose(self, path: str) -> None:
        """Let a file have its name and no content, as a power failure may."""
        Path(self.root + path).write_bytes(b"")

    def stage(self, path: str, content: bytes) -> str:
        """Write what is to be moved."""
        writer = self.ok(self.driver.writer(path))
        writer.write(content)
        self.ok(writer.close())
        return path


class RecoveryTests(JournalCase):
    """Starting after a crash."""

    def test_provides(self) -> None:
        """The driver says that it can."""
        verifyObject(IJournaled, self.driver)

    def test_power_failure(self) -> None:
        """What is empty, missing or old is made good, and counted."""
        self.put("/old/file", b"before")
        self.ok(self.driver.checkpoint())
        self.put("/old/file", b"after")
        self.put("/a/b/empty", b"content")
        self.put("/a/gone", b"too")
        self.put("/a/kept", b"kept")
        expected = contents(self.root)
        Path(self.root + "/old/file").write_bytes(b"before")
        self.lose("/a/b/empty")
        os.unlink(self.root + "/a/gone")
        self.start("second")
        self.assertEqual(contents(self.root), expected)
        self.assertEqual(self.mended, 3)

    def test_deleted_stays_deleted(self) -> None:
        """A file that came back is deleted again; one that was put since stays."""
        self.put("/a/b/c", b"old")
        self.put("/a/b/d", b"old")
        self.ok(self.driver.delete("/a/b"))
        self.put("/a/b/d", b"new")
        os.makedirs(self.root + "/a/b", exist_ok=True)
        for name in "cd":
            Path(f"{self.root}/a/b/{name}").write_bytes(b"old")
        self.start("second")
        self.assertEqual(contents(self.root), {"/a/b/d": b"new"})

    def test_mere_crash(self) -> None:
        """The kernel has it all: what others did since then is not undone."""
        self.put("/a", b"ours")
        Path(self.root + "/a").write_bytes(b"theirs")
        self.start("first")
        self.assertEqual(contents(self.root), {"/a": b"theirs"})
        self.start("second")
        self.assertEqual(contents(self.root), {"/a": b"theirs"})

    def test_kernel_that_has_no_name(self) -> None:
        """Where nobody knows whether the power failed, it did."""
        self.driver = self.start("")
        self.put("/a", b"ours")
        self.lose("/a")
        self.start("")
        self.assertEqual(contents(self.root), {"/a": b"ours"})

    def test_moved_over_what_was_put(self) -> None:
        """What was made durable by itself is not replaced by what was before it."""
        self.put("/a/data", b"old")
        self.ok(self.driver.delete("/a"))
        self.put("/a/data", b"old again")
        self.stage("/up/data", b"new")
        changes = [MoveFile("/up/data", "/a/data", sync=True), PutFile("/l", b"link")]
        self.ok(self.driver.apply(changes))
        self.start("second")
        self.assertEqual(contents(self.root), {"/a/data": b"new", "/l": b"link"})

    def test_checkpoint(self) -> None:
        """What is safe is not written again."""
        self.put("/a", b"1")
        self.ok(self.driver.checkpoint())
        Path(self.root + "/a").write_bytes(b"2")
        self.start("second")
        self.assertEqual(contents(self.root), {"/a": b"2"})

    def test_close(self) -> None:
        """Nothing of the journal is left, and the driver does without."""
        self.put("/a", b"1")
        self.ok(self.driver.close_journal())
        self.assertFalse(os.path.exists(self.root + DIRECTORY))
        self.put("/a", b"2")
        self.ok(self.driver.checkpoint())
        self.ok(self.driver.close_journal())

    def test_other_version(self) -> None:
        """A journal that a later version has written is not passed over."""
        self.put("/a", b"1")
        self.patch(segment, "_VERSION", 2)
        driver = FilesystemDriver(self.root, InlineDisk(), boot_id=lambda: "second")
        self.failureResultOf(driver.open_journal(DIRECTORY), JournalUnreadable)

    def test_broken_head(self) -> None:
        """A head that was not written whole had no records that were acknowledged."""
        self.put("/a", b"1")
        Path(f"{self.root}{DIRECTORY}/0").write_bytes(b"nonsense" * 100)
        self.start("second")
        self.assertEqual(contents(self.root), {"/a": b"1"})

    def test_it_cannot_be_made(self) -> None:
        """The driver's own error says where."""
        Path(self.root + "/file").write_bytes(b"")
        driver = FilesystemDriver(self.root, InlineDisk())
        self.failureResultOf(driver.open_journal("/file/journal"), DriverError)


class WritingTests(JournalCase):
    """What is written down, and when it need not be any more."""

    def test_what_failed_is_not_made_later(self) -> None:
        """Neither is what stands after it in the same change."""
        self.put("/file", b"1")
        changes = [
            PutFile("/a", b"1"),
            PutFile("/file/below", b"2"),
            PutFile("/c", b""),
        ]
        self.failureResultOf(self.driver.apply(changes), PathNotFound)
        os.unlink(self.root + "/file")
        self.start("second")
        self.assertEqual(contents(self.root), {"/a": b"1"})

    def test_deleting_nothing(self) -> None:
        """It is not there: nothing is written down."""
        self.failureResultOf(self.driver.delete("/none"), PathNotFound)
        self.put("/none", b"1")
        self.start("second")
        self.assertEqual(contents(self.root), {"/none": b"1"})

    def test_no_room(self) -> None:
        """What cannot be written down is made durable by itself, in the order asked."""
        self.put("/a", b"1")
        full = Mock(side_effect=OSError(28, "no space"))
        self.patch(segment.Segment, "append", full)
        self.put("/a", b"2")
        self.put("/b", b"3")
        self.ok(self.driver.delete("/b"))
        self.failureResultOf(self.driver.delete("/b"), PathNotFound)
        self.assertTrue(full.called)

    def test_the_other_file_takes_over(self) -> None:
        """Many megabytes go by, and what is not safe yet can be made good."""
        self.patch(segment, "SEGMENT_BYTES", 2000)
        for number in range(100):
            self.put(f"/{number % 7}", b"%03d" % number * 30)
        expected = contents(self.root)
        sizes = [os.stat(f"{self.root}{DIRECTORY}/{name}").st_size for name in "01"]
        self.assertLess(max(sizes), 3000)
        self.lose("/1")
        self.start("second")
        self.assertEqual(contents(self.root), expected)

    def test_trees(self) -> None:
        """A tree is removed with the change, or is not there."""
        self.stage("/up/1/data", b"x")
        self.ok(self.driver.apply([PutFile("/a", b"1"), RemoveTree("/up/1")]))
        self.ok(self.driver.apply([RemoveTree("/up/1")]))
        self.assertEqual(contents(self.root), {"/a": b"1"})

    def test_those_that_wait_share_a_sync(self) -> None:
        """Changes that come while the disk is busy are written down together."""
        disk = Slow()
        driver = self.start_on(disk)
        synced = Mock(side_effect=os.fdatasync)
        self.patch(os, "fdatasync", synced)
        waiting = [driver.put(f"/{number}", b"x") for number in range(20)]
        waiting.append(driver.put("/0/below", b"x"))
        self.assertEqual(len(disk.jobs), 1)
        disk.do()
        self.failureResultOf(waiting.pop(), PathNotFound)
        for done in waiting:
            self.ok(done)
        # The first alone, the others together, and what a failure settles.
        self.assertLessEqual(synced.call_count, 4)

    def test_given_up_while_it_moves(self) -> None:
        """The journal hears of it all the same: what it said before is settled."""
        self.put("/a/data", b"old")
        self.ok(self.driver.delete("/a"))
        self.stage("/up", b"new")
        disk = self.driver._commits._disk = Slow()
        moving = self.driver.apply([MoveFile("/up", "/a/data", sync=True)])
        moving.cancel()
        self.failureResultOf(moving, CancelledError)
        disk.do()
        self.start("second")
        self.assertEqual(contents(self.root), {"/a/data": b"new"})

    def test_directories_above_are_synced(self) -> None:
        """Those that a change before it made without a sync."""
        self.put("/a/b/small", b"1")
        self.stage("/up", b"new")
        synced = Mock()
        self.patch(changes_module, "_sync_if_there", synced)
        self.ok(self.driver.apply([MoveFile("/up", "/a/b/c/data", sync=True)]))
        for path in ("", "/a", "/a/b", "/a/b/c"):
            synced.assert_any_call(self.root + path)

    def test_move_that_fails(self) -> None:
        """What was changed before it is safe, and it is not made later."""
        self.put("/a", b"1")
        self.failureResultOf(self.driver.move("/none", "/b"), PathNotFound)
        self.lose("/a")
        self.start("second")
        self.assertEqual(contents(self.root), {"/a": b""})

    def test_closing_waits(self) -> None:
        """What was asked for before is made first."""
        disk = Slow()
        driver = self.start_on(disk)
        first, second = driver.put("/a", b"1"), driver.put("/b", b"2")
        second.cancel()
        self.failureResultOf(second, CancelledError)
        closing = driver.close_journal()
        self.assertNoResult(closing)
        disk.do()
        self.ok(first)
        self.ok(closing)
        self.assertEqual(self.ok(driver.get("/b")), b"2")

    def test_disk_that_cannot_sync(self) -> None:
        """A checkpoint says so, and the journal is kept."""
        self.put("/a", b"1")
        failing = Mock(side_effect=OSError(5, "broken"))
        self.driver._commits._journal._sync = failing
        self.failureResultOf(self.driver.checkpoint(), DriverError)
        self.lose("/a")
        self.start("second")
        self.assertEqual(contents(self.root), {"/a": b"1"})

    def test_full_and_cannot_sync(self) -> None:
        """It is told once in the log, and what comes is written down still."""
        self.patch(segment, "SEGMENT_BYTES", 600)
        self.driver._commits._journal._sync = Mock(side_effect=OSError(5, "broken"))
        self.put("/a", b"1" * 300)
        self.put("/b", b"2")
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)


PATHS = ("/a", "/b/c", "/b/d", "/b/e/f")
NEW = st.binary(min_size=1, max_size=12)
STEPS = st.one_of(
    st.tuples(st.just("put"), st.sampled_from(PATHS), NEW),
    st.tuples(st.just("move"), st.sampled_from(PATHS), NEW),
    st.tuples(st.just("delete"), st.sampled_from((*PATHS, "/b", "/b/e")), st.just(b"")),
    st.tuples(st.just("checkpoint"), st.just(""), st.just(b"")),
)


class PowerFailureTests(JournalCase):
    """Any history, any loss: what was acknowledged is there, and nothing else."""

    @settings(max_examples=60, deadline=None)
    @given(st.lists(STEPS, max_size=14), st.data())
    def test_any(self, steps: list[tuple[str, str, bytes]], data) -> None:
        """Each file may have any state it had since it was safe, or be torn."""
        self.setUp()
        self.patch(commits, "JOURNALED_BYTES", 10)
        self.patch(segment, "SEGMENT_BYTES", 700)
        synced = self.driver._commits._journal._sync = Mock()
        model: dict[str, bytes] = {}
        states: dict[str, list[bytes | None]] = {path: [None] for path in PATHS}
        for number, (kind, path, content) in enumerate(steps):
            safe: set[str] = set()
            if kind == "put":
                self.put(path, content)
                model[path] = content
                safe = {path} if len(content) > 10 else set()
            elif kind == "move":
                source = self.stage(f"/up/{number}", content)
                self.ok(self.driver.apply([MoveFile(source, path, sync=True)]))
                model[path] = content
                safe = {path}
            elif kind == "delete":
                there = os.path.exists(self.root + path)
                deleted = self.driver.delete(path)
                self.ok(deleted) if there else self.failureResultOf(deleted)
                model = {
                    it: model[it] for it in model if not f"{it}/".startswith(f"{path}/")
                }
            else:
                self.ok(self.driver.checkpoint())
                safe = set(PATHS)
            if synced.called:
                # A full file was settled: what was there before is safe.
                states = {known: found[-1:] for known, found in states.items()}
                synced.reset_mock()
            for known in PATHS:
                now = model.get(known)
                if known in safe:
                    states[known] = [now]
                elif states[known][-1] != now:
                    states[known].append(now)
        for path in PATHS:
            torn = [b""] if len(states[path]) > 1 else []
            lost = data.draw(st.sampled_from([*states[path], *torn]))
            real = Path(self.root + path)
            if lost is not None:
                real.parent.mkdir(parents=True, exist_ok=True)
                real.write_bytes(lost)
            elif real.exists():
                real.unlink()
        self.start("second")
        self.assertEqual(contents(self.root), model)
