"""A directory below which others write as well."""

from __future__ import annotations

import errno
import fcntl
import os
from typing import Any
from unittest.mock import patch

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow.disk import InlineDisk
from txregistry.interfaces.driver import DriverError, FileBusy, PathNotFound, PutFile
from txregistry.storagedriver.filesystem import shared
from txregistry.storagedriver.filesystem.atomic import in_directory
from txregistry.storagedriver.filesystem.driver import FilesystemDriver
from txregistry.storagedriver.filesystem.shared import claim, look_again, may_wait
from txregistry.testing.drivers import driver_suite


def shared_driver(root: str, **options: Any) -> FilesystemDriver:
    return FilesystemDriver(root, InlineDisk(), is_shared=True, **options)


SharedDriverTests = driver_suite(lambda case: shared_driver(case.mktemp()))
RemoteDriverTests = driver_suite(
    lambda case: shared_driver(case.mktemp(), may_wait=True)
)


class LaterDisk:
    """Does its work when it is told to."""

    def __init__(self) -> None:
        self.jobs: list[Any] = []

    def run(self, work: Any, *args: Any) -> Deferred[Any]:
        done: Deferred[Any] = Deferred()
        self.jobs.append((done, work, args))
        return done

    def work(self) -> None:
        done, work, args = self.jobs.pop(0)
        done.callback(work(*args))


class TwoDrivers(SynchronousTestCase):
    """Two processes over one directory, as far as a test can have them."""

    def setUp(self) -> None:
        self.root = self.mktemp()
        self.one, self.other = shared_driver(self.root), shared_driver(self.root)

    def ok(self, done: Deferred[Any]) -> Any:
        return self.successResultOf(done)

    def refused(self, done: Deferred[Any]) -> str:
        return str(self.failureResultOf(done, DriverError).value)

    def busy(self, done: Deferred[Any]) -> str:
        return str(self.failureResultOf(done, FileBusy).value)


class OneWriterTests(TwoDrivers):
    """Two processes do not write to one file."""

    def test_second_writer(self) -> None:
        """It is refused until the first has closed the file, and continues then."""
        writer = self.ok(self.one.writer("/u/data"))
        writer.write(b"first")
        self.ok(writer.flush())
        refused = self.busy(self.other.writer("/u/data", keep_bytes=5))
        self.assertIn("another process writes to it", refused)
        self.ok(writer.close())
        later = self.ok(self.other.writer("/u/data", keep_bytes=5))
        later.write(b" second")
        self.ok(later.commit())
        self.assertEqual(self.ok(self.one.get("/u/data")), b"first second")

    def test_refused_keeps_nothing_open(self) -> None:
        """A refusal leaves no descriptor, and no lock."""
        writer = self.ok(self.one.writer("/f"))
        before = len(os.listdir("/proc/self/fd"))
        self.refused(self.other.writer("/f"))
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)
        self.ok(writer.cancel())
        self.ok(self.ok(self.other.writer("/f")).close())

    def test_moved_while_it_is_written(self) -> None:
        """The lock goes along: at the new place nobody else may write either."""
        writer = self.ok(self.one.writer("/a"))
        writer.write(b"x")
        self.ok(writer.flush())
        self.ok(self.one.move("/a", "/b"))
        self.refused(self.other.writer("/b", keep_bytes=1))
        self.ok(writer.close())

    def test_moved_between_open_and_lock(self) -> None:
        """A file that has left its place is not written to."""
        path, moved = self.mktemp(), self.mktemp()
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
        self.addCleanup(os.close, descriptor)
        os.rename(path, moved)
        with self.assertRaises(OSError) as caught:
            claim(descriptor, path)
        self.assertEqual(caught.exception.errno, errno.EBUSY)

    def test_no_locks(self) -> None:
        """Where there are none it goes on without; another error is told."""
        for number in (errno.ENOLCK, errno.EIO):
            error = OSError(number, os.strerror(number))
            with patch.object(fcntl, "flock", side_effect=error):
                opened = self.one.writer("/f")
            if number == errno.EIO:
                self.assertIn("Input/output", self.refused(opened))
            else:
                self.ok(self.ok(opened).close())

    def test_unshared(self) -> None:
        """A driver that has its directory to itself takes no locks."""
        alone = FilesystemDriver(self.root, InlineDisk())
        first, second = self.ok(alone.writer("/f")), self.ok(alone.writer("/f"))
        self.ok(first.close())
        self.ok(second.close())


class SeenTests(TwoDrivers):
    """What one does the other sees at once."""

    def test_changes(self) -> None:
        """Files that were written, replaced and deleted."""
        self.ok(self.one.apply([PutFile("/a/link", b"1")]))
        self.assertEqual(self.ok(self.other.get("/a/link")), b"1")
        self.ok(self.other.put("/a/link", b"2", durable=False))
        self.assertEqual(self.ok(self.one.get("/a/link")), b"2")
        self.ok(self.one.delete("/a"))
        self.failureResultOf(self.other.get("/a/link"), PathNotFound)
        self.assertEqual(self.ok(self.other.list("/")), [])

    def test_no_journal(self) -> None:
        """There is none, as each change has to be there for all."""
        self.assertIn("no journal", self.refused(self.one.open_journal("/journal")))


class RemoteTests(SynchronousTestCase):
    """A file system that may let us wait."""

    def setUp(self) -> None:
        self.root = self.mktemp()
        os.mkdir(self.root)
        self.disk = LaterDisk()
        self.driver = FilesystemDriver(
            self.root, self.disk, is_shared=True, may_wait=True
        )

    def test_nothing_in_the_reactor_thread(self) -> None:
        """Small reads are jobs as well."""
        for done in (
            self.driver.get("/f"),
            self.driver.stat("/f"),
            self.driver.reader("/f"),
            self.driver.writer("/f"),
            self.driver.put("/f", b"", durable=False),
        ):
            self.assertNoResult(done)
            done.addErrback(lambda failure: failure.trap(CancelledError))
            done.cancel()
        self.assertEqual(len(self.disk.jobs), 5)

    def test_opened_for_nobody(self) -> None:
        """What is opened after its asker has left is closed, with its lock."""
        before = len(os.listdir("/proc/self/fd"))
        writing = self.driver.writer("/f")
        writing.cancel()
        self.failureResultOf(writing, CancelledError)
        self.disk.work()
        self.disk.work()  # it is closed on a thread as well
        reading = self.driver.reader("/f")
        reading.cancel()
        self.failureResultOf(reading, CancelledError)
        self.disk.work()
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    def test_which(self) -> None:
        """That is asked of the file system, once there is a directory."""
        self.assertIs(may_wait(self.root), False)
        self.assertIsNone(may_wait(f"{self.root}/none"))
        with patch.object(shared, "is_local", return_value=False):
            self.assertIs(may_wait(self.root), True)


class StaleTests(SynchronousTestCase):
    """Handles of what another machine has deleted."""

    def stale(self, times: int) -> Any:
        errors = [OSError(errno.ESTALE, "Stale file handle")] * times
        answers = iter([*errors, "there"])

        def work() -> str:
            answer = next(answers)
            if isinstance(answer, OSError):
                raise answer
            return answer

        return work

    def test_another_look(self) -> None:
        """A second look, or a third, finds what is there."""
        for times in (0, 1, 2):
            self.assertEqual(look_again(self.stale(times)), "there")
        with self.assertRaises(OSError):
            look_again(self.stale(3))

    def test_other_errors(self) -> None:
        """No other error is asked for twice."""
        with self.assertRaises(PermissionError):
            look_again(self.raising(PermissionError(13, "no")))

    def raising(self, error: OSError) -> Any:
        calls: list[int] = []

        def work() -> None:
            calls.append(1)
            assert len(calls) == 1
            raise error

        return work

    def test_driver(self) -> None:
        """A driver looks again, and a directory that is gone is made again."""
        driver = shared_driver(self.mktemp(), may_wait=True)
        self.successResultOf(driver.put("/a/f", b"x"))
        with patch.object(os, "stat", side_effect=self.once(os.stat)):
            self.assertEqual(self.successResultOf(driver.stat("/a/f")).size, 1)
        path = os.path.join(self.mktemp(), "f")
        self.assertEqual(in_directory(path, self.stale(2)), "there")

    def once(self, real: Any) -> Any:
        failed: list[int] = []

        def call(*args: Any, **kwargs: Any) -> Any:
            if not failed:
                failed.append(1)
                raise OSError(errno.ESTALE, "Stale file handle")
            return real(*args, **kwargs)

        return call
