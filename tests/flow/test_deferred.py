"""Coroutines as Deferreds, single flight, and locks."""

from __future__ import annotations

import gc
import traceback
from weakref import ref

from twisted.internet.defer import (
    AlreadyCalledError,
    CancelledError,
    Deferred,
    fail,
    succeed,
)
from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow.deferred import Flights, KeyedLocks, deferred, failed


class FlightsTests(SynchronousTestCase):
    """Work that several callers share."""

    def setUp(self) -> None:
        self.flights: Flights[str, int] = Flights()
        self.work: list[Deferred[int]] = []
        self.cancelled: list[object] = []

    def start(self) -> Deferred[int]:
        self.work.append(Deferred(self.cancelled.append))
        return self.work[-1]

    def join(self, key: str = "k") -> Deferred[int]:
        return self.flights.join(key, self.start)

    def test_one_piece_of_work(self) -> None:
        """All who wait get the one result, each by a Deferred of its own."""
        waiters = [self.join() for _ in range(3)]
        self.assertEqual(len(self.work), 1)
        self.assertTrue(self.flights.is_under_way("k"))
        self.work[0].callback(7)
        self.assertEqual([self.successResultOf(w) for w in waiters], [7, 7, 7])
        self.assertFalse(self.flights.is_under_way("k"))

    def test_keys_are_apart(self) -> None:
        """Another key is other work."""
        self.join("a")
        self.join("b")
        self.assertEqual(len(self.work), 2)

    def test_failure_reaches_all(self) -> None:
        """All who wait fail as the work does; the next one begins anew."""
        waiters = [self.join(), self.join()]
        self.work[0].errback(ZeroDivisionError())
        for waiter in waiters:
            self.failureResultOf(waiter, ZeroDivisionError)
        self.join()
        self.assertEqual(len(self.work), 2)

    def test_one_leaves(self) -> None:
        """A waiter that is cancelled harms nobody."""
        first, second = self.join(), self.join()
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.assertEqual(self.cancelled, [])
        self.work[0].callback(1)
        self.assertEqual(self.successResultOf(second), 1)

    def test_last_leaves(self) -> None:
        """When nobody waits any more the work is cancelled, and can begin again."""
        first, second = self.join(), self.join()
        first.cancel()
        second.cancel()
        self.assertEqual(self.cancelled, self.work)
        self.failureResultOf(first, CancelledError)
        self.failureResultOf(second, CancelledError)
        self.join()
        self.assertEqual(len(self.work), 2)

    def test_work_that_is_done_at_once(self) -> None:
        """A result that is there already is given."""
        done = self.flights.join("k", lambda: succeed(3))
        self.assertEqual(self.successResultOf(done), 3)


class LockTests(SynchronousTestCase):
    """A lock per key."""

    def test_one_after_the_other(self) -> None:
        """Work under one key waits; under another it does not."""
        locks: KeyedLocks[str] = KeyedLocks()
        first: Deferred[int] = Deferred()
        begun: list[str] = []

        def begin(name: str, work: Deferred[int]) -> Deferred[int]:
            begun.append(name)
            return work

        one = locks.run("k", lambda: begin("one", first))
        two = locks.run("k", lambda: begin("two", succeed(2)))
        other = locks.run("o", lambda: begin("other", succeed(3)))
        self.assertEqual(begun, ["one", "other"])
        self.assertEqual(self.successResultOf(other), 3)
        first.callback(1)
        self.assertEqual(self.successResultOf(one), 1)
        self.assertEqual(self.successResultOf(two), 2)
        self.assertEqual(locks._locks, {})

    def test_cancelled_while_it_works(self) -> None:
        """Work that has begun goes on, and the next begins when it has ended."""
        locks: KeyedLocks[str] = KeyedLocks()
        work: Deferred[int] = Deferred(lambda _: self.fail("cancelled"))
        one = locks.run("k", lambda: work)
        two = locks.run("k", lambda: succeed(2))
        one.cancel()
        self.failureResultOf(one, CancelledError)
        self.assertNoResult(two)
        work.callback(1)
        self.assertEqual(self.successResultOf(two), 2)
        self.assertEqual(locks._locks, {})

    def test_failure_of_what_was_cancelled(self) -> None:
        """What fails when nobody waits any more is logged."""
        locks: KeyedLocks[str] = KeyedLocks()
        work: Deferred[int] = Deferred()
        one = locks.run("k", lambda: work)
        one.cancel()
        self.failureResultOf(one, CancelledError)
        work.errback(ZeroDivisionError())
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(locks._locks, {})

    def test_cancelled_while_it_waits(self) -> None:
        """Work that has not begun never does, and keeps nobody waiting."""
        locks: KeyedLocks[str] = KeyedLocks()
        work: Deferred[int] = Deferred()
        one = locks.run("k", lambda: work)
        two = locks.run("k", lambda: self.fail("begun"))
        three = locks.run("k", lambda: succeed(3))
        two.cancel()
        self.failureResultOf(two, CancelledError)
        work.callback(1)
        self.assertEqual(self.successResultOf(one), 1)
        self.assertEqual(self.successResultOf(three), 3)
        self.assertEqual(locks._locks, {})

    def test_several(self) -> None:
        """Work under several keys waits for each, and frees them all."""
        locks: KeyedLocks[str] = KeyedLocks()
        first: Deferred[int] = Deferred()
        locks.run("b", lambda: first)
        both = locks.run_all(["a", "b"], lambda: succeed(5))
        behind = locks.run("a", lambda: succeed(6))
        self.assertNoResult(both)
        self.assertNoResult(behind)
        first.callback(1)
        self.assertEqual(self.successResultOf(both), 5)
        self.assertEqual(self.successResultOf(behind), 6)
        self.assertEqual(self.successResultOf(locks.run_all([], lambda: succeed(7))), 7)
        self.assertEqual(locks._locks, {})

    def test_failure_frees_the_lock(self) -> None:
        """Work that fails does not keep the next from beginning."""
        locks: KeyedLocks[str] = KeyedLocks()
        self.failureResultOf(
            locks.run("k", lambda: fail(ZeroDivisionError())), ZeroDivisionError
        )
        self.assertEqual(self.successResultOf(locks.run("k", lambda: succeed(1))), 1)


class DeferredTests(SynchronousTestCase):
    """Coroutines published as Deferreds."""

    def test_cancel_reaches_what_is_awaited(self) -> None:
        """Cancelling the outside cancels the inside."""
        inner: Deferred[None] = Deferred()

        @deferred
        async def work() -> None:
            await inner

        done = work()
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.assertTrue(inner.called)


class _Refusal(Exception):
    """An error that can be watched."""


class FailedTests(SynchronousTestCase):
    """Deferreds that fail at once."""

    def setUp(self) -> None:
        self.error = _Refusal("no")

    @deferred
    async def wait(self, done: Deferred[int]) -> int:
        return await done + 1

    def test_awaited(self) -> None:
        """Whoever awaits one gets the exception itself, and nothing is unhandled."""
        failure = self.failureResultOf(self.wait(failed(self.error)), _Refusal)
        self.assertIs(failure.value, self.error)

    def test_where_it_was_raised(self) -> None:
        """The traceback names who raised it, and whom it went through."""

        @deferred
        async def culprit() -> int:
            raise self.error

        found = self.failureResultOf(self.wait(culprit()), _Refusal)
        names = [frame.name for frame in traceback.extract_tb(found.tb)]
        self.assertEqual(
            [name for name in names if name in ("wait", "culprit")], ["wait", "culprit"]
        )

    def test_nothing_is_kept(self) -> None:
        """When it has been told, it goes without the cycle collector."""

        @deferred
        async def work() -> None:
            await failed(self.error)

        gone = ref(self.error)
        gc.disable()
        self.addCleanup(gc.enable)
        work().addErrback(lambda _: None)
        del self.error
        self.assertIsNone(gone())

    def test_nobody_asked(self) -> None:
        """What was not handled is logged once, however many it went through."""
        self.wait(failed(self.error))
        self.assertEqual(len(self.flushLoggedErrors(_Refusal)), 1)

    def test_fires_once(self) -> None:
        """It has its result."""
        done = failed(self.error)
        with self.assertRaises(AlreadyCalledError):
            done.callback(None)
        self.failureResultOf(done, _Refusal)

    def test_callbacks(self) -> None:
        """It takes callbacks like any other, and what they give is awaited."""
        done = failed(self.error).addErrback(lambda _: 1)
        self.assertEqual(self.successResultOf(self.wait(done)), 2)
        later: Deferred[int] = Deferred()
        waiting = self.wait(failed(self.error).addErrback(lambda _: later))
        later.callback(3)
        self.assertEqual(self.successResultOf(waiting), 4)
