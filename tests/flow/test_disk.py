"""Blocking functions off the reactor thread."""

from __future__ import annotations

import threading
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow.disk import DiskPool, InlineDisk


class ThreadClock(Clock):
    """A clock that holds what threads want to run, as a reactor does."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, ...]] = []
        self.told = threading.Semaphore(0)

    def callFromThread(self, work: Any, *args: Any, **options: Any) -> None:
        self.calls.append((work, args, options))
        self.told.release()

    def turn(self) -> None:
        """Wait until a thread wants something, and run it."""
        assert self.told.acquire(timeout=60)
        work, args, options = self.calls.pop(0)
        work(*args, **options)


class DiskPoolTests(SynchronousTestCase):
    """A pool of threads."""

    def setUp(self) -> None:
        self.clock = ThreadClock()
        self.pool = DiskPool.create(self.clock, 1, "test-pool")
        self.pool.startService()
        self.addCleanup(self.stop)

    def stop(self) -> None:
        if self.pool.running:
            self.pool.stopService()

    def test_result(self) -> None:
        """It runs on a thread of the pool, and its result comes in the reactor's."""
        done = self.pool.run(lambda *args: (threading.current_thread(), args), 1, 2)
        self.assertNoResult(done)
        self.clock.turn()
        thread, args = self.successResultOf(done)
        self.assertIsNot(thread, threading.current_thread())
        self.assertIn("test-pool", thread.name)
        self.assertEqual(args, (1, 2))

    def test_error(self) -> None:
        """What it raises fails the Deferred, in the reactor thread as well."""
        done = self.pool.run(int, "x")
        self.assertNoResult(done)
        self.clock.turn()
        self.failureResultOf(done, ValueError)

    def test_cancelled(self) -> None:
        """It fails at once; what has begun runs to its end, and nobody hears of it."""
        begun, may_end = threading.Event(), threading.Event()
        ended: list[bool] = []

        def work() -> None:
            begun.set()
            ended.append(may_end.wait(60))

        done = self.pool.run(work)
        assert begun.wait(60)
        done.cancel()
        self.failureResultOf(done, CancelledError)
        may_end.set()
        self.clock.turn()
        self.assertEqual(ended, [True])

    def test_stop_waits(self) -> None:
        """A job that runs is finished before it has stopped; no thread is left."""
        threads: list[threading.Thread] = []
        self.pool.run(lambda: threads.append(threading.current_thread()))
        self.pool.stopService()
        self.assertEqual([thread.is_alive() for thread in threads], [False])


class InlineDiskTests(SynchronousTestCase):
    """No threads."""

    def test_at_once(self) -> None:
        """The function has run; its result or error is there."""
        disk = InlineDisk()
        self.assertEqual(self.successResultOf(disk.run(int, "7")), 7)
        self.failureResultOf(disk.run(int, "x"), ValueError)
