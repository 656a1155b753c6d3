"""The plumbing: single flight, locks, retry, streams, threads, sendfile."""

from __future__ import annotations

import gc
import os
import socket
import traceback
from weakref import ref

from twisted.internet.defer import (
    AlreadyCalledError,
    CancelledError,
    Deferred,
    fail,
    succeed,
)
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow import sendfile
from txregistry.flow.deferred import Flights, KeyedLocks, deferred, failed
from txregistry.flow.retry import backoff, retry
from txregistry.flow.sendfile import WARM_BYTES, FileSender, offer_file
from txregistry.flow.streams import (
    BoundedConsumer,
    ConsumerStopped,
    ShortRead,
)


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


class RetryTests(SynchronousTestCase):
    """Waiting between attempts."""

    def test_backoff(self) -> None:
        """Doubled up to a most, half of it by chance."""
        self.assertEqual(list(backoff(4, 1, 4, lambda: 1.0)), [1, 2, 4, 4])
        self.assertEqual(list(backoff(2, 1, 4, lambda: 0.0)), [0.5, 1])

    def test_until_success(self) -> None:
        """Attempts follow one another after the planned time."""
        clock, results = Clock(), [fail(OSError()), fail(OSError()), succeed(5)]
        done = retry(clock, [1, 2], lambda: results.pop(0), lambda e, planned: planned)
        self.assertNoResult(done)
        clock.advance(1)
        self.assertNoResult(done)
        clock.advance(2)
        self.assertEqual(self.successResultOf(done), 5)

    def test_giving_up(self) -> None:
        """The last error is the answer when delays end, or when told so."""
        clock = Clock()
        done = retry(clock, [1], lambda: fail(OSError()), lambda e, planned: planned)
        clock.advance(1)
        self.failureResultOf(done, OSError)
        done = retry(clock, [1], lambda: fail(OSError()), lambda e, planned: None)
        self.failureResultOf(done, OSError)

    def test_cancel_while_waiting(self) -> None:
        """Nothing is left on the clock."""
        clock = Clock()
        done = retry(clock, [9], lambda: fail(OSError()), lambda e, planned: planned)
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.assertEqual(clock.getDelayedCalls(), [])


class FakeTransport:
    """A TCP transport with a real socket, whose reactor we are."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock, self.producer, self.streaming = sock, None, True
        self.wants_write = False

    def fileno(self) -> int:
        return self.sock.fileno()

    def startWriting(self) -> None:
        self.wants_write = True

    def registerProducer(self, producer, streaming) -> None:
        self.producer, self.streaming = producer, streaming
        if not streaming:
            producer.resumeProducing()

    def unregisterProducer(self) -> None:
        self.producer = None

    def loseConnection(self) -> None:
        self.sock.close()

    def write_ready(self) -> None:
        self.wants_write = False
        self.producer.resumeProducing()


class SendfileTests(SynchronousTestCase):
    """File to socket."""

    def setUp(self) -> None:
        path = self.mktemp()
        self.content = os.urandom(3_000_000)
        with open(path, "wb") as file:
            file.write(self.content)
        self.file = os.open(path, os.O_RDONLY)
        self.addCleanup(os.close, self.file)
        ours, self.peer = socket.socketpair()
        for end in (ours, self.peer):
            end.setblocking(False)
            self.addCleanup(end.close)
        self.transport = FakeTransport(ours)
        self.usual = object()
        self.warmed: list[tuple[int, int, Deferred[None]]] = []
        self.patch(sendfile, "is_in_memory", lambda file, offset: offset < self.cold)
        self.cold = 3_000_000

    def send(self, offset: int, size: int) -> Deferred[None]:
        self.sender = FileSender(
            self.transport, self.usual, self.file, offset, size, self.warm
        )
        return self.sender.start()

    def warm(self, size: int, offset: int) -> Deferred[None]:
        self.warmed.append((offset, size, Deferred()))
        return self.warmed[-1][2]

    def received(self) -> bytes:
        try:
            return self.peer.recv(1 << 20)
        except BlockingIOError:
            return b""

    def test_whole_file(self) -> None:
        """All bytes arrive in order, and the usual producer is back at the end."""
        done = self.send(1000, 2_000_000)
        self.assertEqual(self.received(), b"")  # not before the buffer is empty
        found = b""
        while not done.called:
            self.transport.write_ready()
            found += self.received()
        found += self.received()
        self.successResultOf(done)
        self.assertEqual(found, self.content[1000:2_001_000])
        self.assertIs(self.transport.producer, self.usual)
        self.assertTrue(self.transport.streaming)

    def test_what_is_not_in_memory(self) -> None:
        """A thread reads each part of it first, and the reactor waits for none."""
        self.cold = 1_000_000
        done = self.send(0, 2_000_000)
        found = b""
        for _ in range(1000):
            if self.transport.wants_write:
                self.transport.write_ready()
            elif self.warmed and not self.warmed[-1][2].called:
                offset, _, waits = self.warmed[-1]
                self.assertEqual(len(found + self.received()), offset)
                waits.callback(None)
            found += self.received()
        self.successResultOf(done)
        self.assertEqual(found, self.content[:2_000_000])
        parts = [(offset, size) for offset, size, _ in self.warmed]
        self.assertEqual(parts[0], (3 * WARM_BYTES, WARM_BYTES))
        self.assertEqual(sum(size for _, size in parts), 2_000_000 - 3 * WARM_BYTES)

    def test_what_cannot_be_read(self) -> None:
        """What is wrong with the disk is said, and the connection goes on."""
        self.cold = 0
        done = self.send(0, 10)
        self.transport.write_ready()
        self.warmed[0][2].errback(OSError(5, "broken"))
        self.failureResultOf(done, OSError)
        self.assertIs(self.transport.producer, self.usual)

    def test_gone_while_a_thread_reads(self) -> None:
        """Nothing is sent to who has gone meanwhile."""
        self.cold = 0
        for go in (Deferred.cancel, lambda _: self.transport.producer.stopProducing()):
            done = self.send(0, 10)
            self.transport.write_ready()
            go(done)
            self.failureResultOf(done, CancelledError, ConsumerStopped)
            self.assertTrue(self.warmed[-1][2].called)
        self.assertEqual(self.received(), b"")

    def test_file_that_is_too_short(self) -> None:
        """Fewer bytes than promised are ShortRead."""
        self.cold = 4_000_000
        done = self.send(2_999_990, 100)
        for _ in range(10):
            if not done.called:
                self.transport.write_ready()
        self.failureResultOf(done, ShortRead)

    def test_peer_that_goes(self) -> None:
        """A broken socket is ConsumerStopped."""
        done = self.send(0, 3_000_000)
        self.peer.close()
        while not done.called:
            self.transport.write_ready()
        self.failureResultOf(done, ConsumerStopped)
        self.assertIs(self.transport.producer, self.usual)

    def test_lost_connection(self) -> None:
        """The transport says that it is over."""
        done = self.send(0, 3_000_000)
        self.transport.producer.stopProducing()
        self.failureResultOf(done, ConsumerStopped)

    def test_cancel(self) -> None:
        """The usual producer is back, and no byte is sent any more."""
        done = self.send(0, 3_000_000)
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.assertIs(self.transport.producer, self.usual)

    def test_consumer_that_takes_no_files(self) -> None:
        """Any other consumer is to be written to."""
        self.assertIsNone(offer_file(BoundedConsumer(1), self.file, 0, 10, self.warm))


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
