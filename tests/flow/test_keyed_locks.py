"""Locks by key."""

from __future__ import annotations

from twisted.internet.defer import (
    CancelledError,
    Deferred,
    fail,
    succeed,
)
from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow.keyed_locks import KeyedLocks


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
