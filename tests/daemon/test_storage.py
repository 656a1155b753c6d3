"""The journal of a driver lives as long as the service, and is settled meanwhile."""

from __future__ import annotations

import os

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.daemon.storage import (
    CHECKPOINT_SECONDS,
    Journaling,
    JournalLeft,
    StorageService,
)
from txregistry.flow.disk import InlineDisk
from txregistry.interfaces.driver import DriverError
from txregistry.storage.tree import layout
from txregistry.storagedriver.filesystem.driver import FilesystemDriver
from txregistry.storagedriver.inmemory import MemoryDriver


class JournalingTests(SynchronousTestCase):
    """Keeping a journal."""

    def setUp(self) -> None:
        self.root = self.mktemp()
        self.clock = Clock()

    def start(self, boot: str) -> Journaling:
        self.driver = FilesystemDriver(self.root, InlineDisk(), boot_id=lambda: boot)
        service = Journaling(self.driver, self.clock)
        self.successResultOf(service.startService())
        return service

    def put(self, content: bytes) -> None:
        self.successResultOf(self.driver.put("/a", content))

    def spoil(self) -> None:
        with open(f"{self.root}/a", "wb"):
            pass

    def content(self) -> bytes:
        return self.successResultOf(self.driver.get("/a"))

    def test_power_failure(self) -> None:
        """What was put is there again after the start."""
        self.start("first")
        self.put(b"1")
        self.spoil()
        self.start("second")
        self.assertEqual(self.content(), b"1")

    def test_checkpoints(self) -> None:
        """After some seconds the journal does not count any more."""
        self.start("first")
        self.put(b"1")
        self.clock.advance(CHECKPOINT_SECONDS)
        self.spoil()
        self.start("second")
        self.assertEqual(self.content(), b"")

    def test_stops(self) -> None:
        """Nothing is left of the journal, and nothing is to come."""
        service = self.start("first")
        self.put(b"1")
        self.successResultOf(service.stopService())
        self.assertFalse(os.path.exists(self.root + layout.JOURNAL))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stopped_while_it_opens(self) -> None:
        """Whoever stops it waits: a thread is at work on the directory."""
        opening: Deferred[int] = Deferred()
        self.patch(FilesystemDriver, "open_journal", lambda _, path: opening)
        closed = self.patch_close()
        driver = FilesystemDriver(self.root, InlineDisk())
        service = Journaling(driver, self.clock)
        starting = service.startService()
        starting.cancel()
        self.failureResultOf(starting, CancelledError)
        stopping = service.stopService()
        self.assertNoResult(stopping)
        opening.callback(0)
        self.successResultOf(stopping)
        self.assertEqual(closed, [driver])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def patch_close(self) -> list[FilesystemDriver]:
        """Have a list of all whose journals were closed."""
        closed = []

        def close(driver: FilesystemDriver) -> Deferred[None]:
            closed.append(driver)
            return succeed(None)

        self.patch(FilesystemDriver, "close_journal", close)
        return closed

    def test_not_opened_and_stopped(self) -> None:
        """A start that failed is told, and leaves nothing to close."""
        failing = fail(DriverError("filesystem", "/", "broken"))
        self.patch(FilesystemDriver, "open_journal", lambda _, path: failing)
        closed = self.patch_close()
        service = Journaling(FilesystemDriver(self.root, InlineDisk()), self.clock)
        self.failureResultOf(service.startService(), DriverError)
        self.successResultOf(service.stopService())
        self.assertEqual(closed, [])

    def test_failing_checkpoint(self) -> None:
        """It is told in the log, and tried again."""
        self.start("first")
        tried = []

        def checkpoint():
            tried.append(self.clock.seconds())
            return succeed(None) if len(tried) > 1 else succeed(1 // 0)

        self.patch(FilesystemDriver, "checkpoint", lambda _: checkpoint())
        self.clock.advance(CHECKPOINT_SECONDS)
        self.clock.advance(CHECKPOINT_SECONDS)
        self.assertEqual(len(tried), 2)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_driver_without(self) -> None:
        """A driver that has none is left alone."""
        service = Journaling(MemoryDriver(self.clock), self.clock)
        self.successResultOf(service.startService())
        self.successResultOf(service.stopService())
        self.assertEqual(self.clock.getDelayedCalls(), [])


class SharedTests(SynchronousTestCase):
    """A directory that others use as well."""

    def setUp(self) -> None:
        self.root = self.mktemp()

    def journaling(self, **options: object) -> Journaling:
        driver = FilesystemDriver(self.root, InlineDisk(), **options)
        return Journaling(driver, Clock())

    def test_no_journal(self) -> None:
        """There is none, and nothing to do at the stop."""
        service = self.journaling(is_shared=True)
        self.successResultOf(service.startService())
        self.assertFalse(os.path.exists(f"{self.root}{layout.JOURNAL}"))
        self.successResultOf(service.stopService())

    def test_left_journal(self) -> None:
        """One that a crash has left is made good by a process that is alone."""
        self.successResultOf(self.journaling().startService())
        shared = self.journaling(is_shared=True)
        failure = self.failureResultOf(shared.startService(), JournalLeft)
        self.assertIn("without storage.filesystem.shared", str(failure.value))
        alone = self.journaling()
        self.successResultOf(alone.startService())
        self.successResultOf(alone.stopService())
        self.successResultOf(self.journaling(is_shared=True).startService())

    def test_check_at_the_same_time(self) -> None:
        """Two processes that check the storage do not meet."""
        driver = FilesystemDriver(self.root, InlineDisk(), is_shared=True)
        paths = []
        put = driver.put

        def recorded(path: str, content: bytes) -> Deferred[None]:
            paths.append(path)
            return put(path, content)

        self.patch(FilesystemDriver, "put", lambda _, **words: recorded(**words))
        for _ in range(2):
            self.successResultOf(StorageService(driver).startService())
        self.assertEqual(len(set(paths)), 2)
