"""What is acknowledged outlives a power failure, by way of the journal."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

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
from txregistry.storagedriver.filesystem import atomic as changes_module
from txregistry.storagedriver.filesystem import recovery
from txregistry.storagedriver.filesystem.driver import FilesystemDriver
from txregistry.storagedriver.filesystem.journal import segment
from txregistry.storagedriver.filesystem.journal.journal import Journal
from txregistry.storagedriver.filesystem.journal.records import Delete
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


class MonkeyPatch:
    """Puts something in the place of a part of a module, for a while."""

    def __init__(self, module: object, name: str, value: object) -> None:
        self._undo = lambda: setattr(module, name, was)
        was = getattr(module, name)
        setattr(module, name, value)

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        self._undo()


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
        self.patch(segment, "_VERSION", 3)
        driver = FilesystemDriver(self.root, InlineDisk(), boot_id=lambda: "second")
        failed = self.failureResultOf(driver.open_journal(DIRECTORY), DriverError)
        self.assertIn("version 2", str(failed.value))

    def test_broken_head(self) -> None:
        """A head that was not written whole had no records that were acknowledged."""
        self.put("/a", b"1")
        Path(f"{self.root}{DIRECTORY}/0").write_bytes(b"nonsense" * 100)
        self.start("second")
        self.assertEqual(contents(self.root), {"/a": b"1"})

    def test_head_that_is_not_whole(self) -> None:
        """It is not believed, whatever it says."""
        self.put("/a", b"1")
        self.ok(self.driver.checkpoint())
        path = Path(f"{self.root}{DIRECTORY}/0")
        head = bytearray(path.read_bytes())
        self.assertEqual(head[9], 0)
        head[9] = 1  # as if it counted
        path.write_bytes(head)
        self.lose("/a")
        self.start("second")
        self.assertEqual(contents(self.root), {"/a": b""})

    def test_it_cannot_be_made(self) -> None:
        """The driver's own error says where."""
        Path(self.root + "/file").write_bytes(b"")
        driver = FilesystemDriver(self.root, InlineDisk())
        failed = self.failureResultOf(driver.open_journal("/file/journal"), DriverError)
        self.assertIn(f"{self.root}/file", str(failed.value))

    def test_no_room_for_it(self) -> None:
        """On a full disk a directory opens all the same, and is written durably."""
        self.ok(self.driver.close_journal())

        def refuse(*_: object, **__: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        for name, where in (("makedirs", os), ("write_all", segment)):
            with self.subTest(name):
                self.driver = FilesystemDriver(self.root, InlineDisk())
                patched = self.patch(where, name, refuse)
                self.assertEqual(self.ok(self.driver.open_journal(DIRECTORY)), 0)
                patched.restore()
                self.put("/a", b"1")
                self.ok(self.driver.checkpoint())
                self.ok(self.driver.close_journal())
                self.assertEqual(contents(self.root), {"/a": b"1"})

    def test_what_came_later(self) -> None:
        """What has changed well after the journal was written is not undone."""
        self.put("/tag", b"ours")
        self.put("/gone/link", b"ours")
        self.put("/kept", b"ours")
        self.put("/blob/data", b"ours")
        self.ok(self.driver.delete("/blob"))
        self.change_later("/tag", b"theirs")
        self.change_later("/blob/data", b"theirs")
        self.lose("/kept")
        os.unlink(self.root + "/gone/link")
        later = self.later()
        os.utime(self.root + "/gone", (later, later))
        self.start("second")
        self.assertEqual(
            contents(self.root),
            {"/tag": b"theirs", "/blob/data": b"theirs", "/kept": b"ours"},
        )
        self.assertEqual(self.mended, 1)

    def later(self) -> float:
        """Give a time that is well after all that was done."""
        return time.time() + recovery.TOLERANCE_SECONDS + 10

    def change_later(self, path: str, content: bytes) -> None:
        """Let another registry write, after some minutes."""
        real = Path(self.root + path)
        real.parent.mkdir(parents=True, exist_ok=True)
        real.write_bytes(content)
        os.utime(real, (self.later(), self.later()))

    def test_broken_off(self) -> None:
        """A start that did not come to its end is made up for by the next, which does
        not take what was made good for what came later."""
        long_ago = time.time() - 10_000
        self.driver._commits._journal._now = lambda: long_ago
        for number in range(5):
            self.put(f"/a/{number}", b"content")
        expected = contents(self.root)
        for number in range(5):
            os.unlink(f"{self.root}/a/{number}")
        os.utime(self.root + "/a", (long_ago, long_ago))
        done = []

        def put(path: str, content: bytes) -> None:
            if len(done) == 2:
                raise OSError(5, "broken", path)
            done.append(path)
            changes_module.put_quickly(path, content)

        with MonkeyPatch(recovery, "put_quickly", put):
            driver = FilesystemDriver(self.root, InlineDisk(), boot_id=lambda: "second")
            failed = self.failureResultOf(driver.open_journal(DIRECTORY), DriverError)
        self.assertIn("/a/", str(failed.value))
        self.start("third")
        self.assertEqual(contents(self.root), expected)

    def test_damaged(self) -> None:
        """What can be read of a damaged journal is made good, and the rest told."""
        self.put("/a", b"ours")
        self.put("/b", b"too")
        path = Path(f"{self.root}{DIRECTORY}/0")
        path.write_bytes(path.read_bytes().replace(b"ours", b"o***"))
        self.lose("/b")
        self.patch(Journal, "_log", Mock())
        self.start("second")
        self.assertEqual(contents(self.root), {"/a": b"ours", "/b": b"too"})
        self.assertEqual(Journal._log.error.call_count, 1)

    def test_paths_stay_below_the_root(self) -> None:
        """A journal that says otherwise is not believed."""
        journal = self.driver._commits._journal
        journal._append([PutFile("/../a", b"x")])
        driver = FilesystemDriver(self.root, InlineDisk(), boot_id=lambda: "second")
        self.failureResultOf(driver.open_journal(DIRECTORY), DriverError)

    def test_a_file_where_a_directory_was(self) -> None:
        """What was deleted below it is gone all the same."""
        self.put("/a/b", b"1")
        self.ok(self.driver.delete("/a/b"))
        self.ok(self.driver.delete("/a"))
        self.put("/a", b"2")
        self.start("second")
        self.assertEqual(contents(self.root), {"/a": b"2"})


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
        self.root = self.mktemp()
        self.driver = self.start("first")
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
        """What was changed before it counts, and it is not made later."""
        self.put("/a", b"1")
        self.failureResultOf(self.driver.move("/none", "/b"), PathNotFound)
        self.lose("/a")
        self.start("second")
        self.assertEqual(contents(self.root), {"/a": b"1"})

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
        self.driver._commits._journal._systems._sync = failing
        self.failureResultOf(self.driver.checkpoint(), DriverError)
        self.lose("/a")
        self.start("second")
        self.assertEqual(contents(self.root), {"/a": b"1"})

    def test_what_was_taken_away_stays_away(self) -> None:
        """When all is put again, also what was deleted without being written down."""
        self.put("/a", b"1")
        self.put("/b", b"2")
        self.ok(self.driver.delete("/a", durable=False))
        broken = Mock(side_effect=[OSError(5, "broken"), None])
        self.driver._commits._journal._systems._sync = broken
        self.failureResultOf(self.driver.checkpoint(), DriverError)
        self.ok(self.driver.checkpoint())
        self.assertEqual(contents(self.root), {"/b": b"2"})

    def test_full_and_cannot_sync(self) -> None:
        """What comes is written down as long as there is room, then refused."""
        self.patch(segment, "SEGMENT_BYTES", 600)
        broken = Mock(side_effect=OSError(5, "broken"))
        self.driver._commits._journal._systems._sync = broken
        self.put("/a", b"1" * 300)
        self.put("/b", b"2" * 300)
        self.failureResultOf(self.driver.put("/c", b"3"), DriverError)
        # Once for the file that is full, once for what was refused.
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 2)
        self.lose("/a")
        self.lose("/b")
        self.start("second")
        self.assertEqual(contents(self.root), {"/a": b"1" * 300, "/b": b"2" * 300})

    def test_closing_beside_a_checkpoint(self) -> None:
        """Nothing that counts is thrown away before it is safe."""
        synced = Mock()
        journal = Journal(self.mktemp(), DIRECTORY, "first")
        journal.open()
        journal._systems._sync = synced
        journal.commit([[PutFile("/a", b"1")]])
        with journal._writing:
            # The checkpoint has begun to turn.
            closing = threading.Thread(target=journal.close)
            closing.start()
            journal._turn()
            self.assertEqual(synced.call_count, 0)
        closing.join(60)
        self.assertEqual(synced.call_count, 1)
        self.assertFalse(os.path.exists(journal._root + DIRECTORY))

    def test_change_while_closing(self) -> None:
        """It does not overtake what waits."""
        disk = Slow()
        driver = self.start_on(disk)
        first = driver.put("/a", b"1")
        closing = driver.close_journal()
        second = driver.put("/a", b"2")
        disk.jobs.reverse()  # whatever comes first
        disk.do()
        third = driver.put("/b", b"3")
        disk.do()
        for done in (first, closing, second, third):
            self.ok(done)
        self.assertEqual(self.ok(driver.get("/a")), b"2")
        self.assertEqual(self.ok(driver.get("/b")), b"3")

    def test_file_system_that_cannot_be_waited_for(self) -> None:
        """What is changed there is made durable by itself."""
        self.driver._commits._journal._systems._believes = lambda _: False
        self.driver._commits._journal._systems.close()
        synced = Mock(side_effect=os.fsync)
        self.patch(os, "fsync", synced)
        self.put("/a/b", b"1")
        self.assertGreaterEqual(synced.call_count, 3)
        self.assertEqual(os.listdir(self.root + "/a"), ["b"])
        self.ok(self.driver.delete("/a/b"))
        self.assertEqual(contents(self.root), {})

    def test_failures_are_settled_together(self) -> None:
        """Each would hold everybody up; and what failed is not made later."""
        disk = Slow()
        driver = self.start_on(disk)
        self.ok_on(disk, driver.put("/file", b"1"))
        synced = driver._commits._journal._systems._sync = Mock()
        failing = [driver.put(f"/file/{number}", b"2") for number in range(30)]
        disk.do()
        for done in failing:
            self.failureResultOf(done, PathNotFound)
        self.assertIn(synced.call_count, (1, 2, 3))
        journal = driver._commits._journal
        self.assertFalse(any(item.counts for item in journal._segments))

    def ok_on(self, disk: Slow, done: Deferred):
        """Let a disk work until something is done."""
        disk.do()
        return self.ok(done)

    def test_threads(self) -> None:
        """Writers, checkpoints and changes apart get along, and nothing is lost."""
        root = self.mktemp()
        journal = Journal(root, DIRECTORY, "first")
        journal.open()
        self.patch(segment, "SEGMENT_BYTES", 2000)
        journal._systems._sync = Mock()
        outcomes = []

        def write(number: int) -> None:
            for count in range(60):
                path = f"/{number}/{count % 5}"
                outcomes.extend(journal.commit([[PutFile(path, b"%d" % count)]]))
                journal.forget([f"/{number}/{(count + 1) % 5}"])

        def settle() -> None:
            for _ in range(40):
                journal.turn()
                journal.settle()

        jobs = [threading.Thread(target=write, args=(it,)) for it in range(3)]
        jobs += [threading.Thread(target=settle) for _ in range(2)]
        for job in jobs:
            job.start()
        for job in jobs:
            job.join(60)
        self.assertEqual(outcomes, [None] * 180)
        journal.commit([[Delete("/0/0")]])
        journal.close()
        self.assertEqual(contents(root)["/2/4"], b"59")
