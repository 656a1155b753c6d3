"""Those who wait for one event, and leave."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow.flights import Flights
from txregistry.flow.waiters import Waiters
from txregistry.proxy.audience import Audience
from txregistry.proxy.state import FillState


class WaitersTests(SynchronousTestCase):
    """All are told, each once."""

    def setUp(self) -> None:
        self.waiters: Waiters[int] = Waiters()

    def test_fire(self) -> None:
        """All who wait now are told; who comes later waits for the next time."""
        first, second = self.waiters.wait(), self.waiters.wait()
        later: list[Deferred[int]] = []
        first.addCallback(lambda found: later.append(self.waiters.wait()) or found)
        self.waiters.fire(3)
        self.assertEqual(self.successResultOf(first), 3)
        self.assertEqual(self.successResultOf(second), 3)
        self.assertNoResult(later[0])
        self.waiters.fire(Failure(OSError()))
        self.failureResultOf(later[0], OSError)

    def test_leaving(self) -> None:
        """Who leaves is told nothing, and it is known who is left."""
        left: list[int] = []
        first = self.waiters.wait(lambda: left.append(len(self.waiters)))
        self.waiters.wait()
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.assertEqual((left, len(self.waiters)), ([1], 1))
        self.waiters.fire(1)

    def test_having_others_leave(self) -> None:
        """One that is told may have the next one leave, and the one before."""
        deferreds: list[Deferred[int]] = [self.waiters.wait() for _ in range(3)]
        deferreds[1].addCallback(lambda _: [one.cancel() for one in deferreds])
        self.waiters.fire(1)
        self.assertEqual(self.successResultOf(deferreds[0]), 1)
        self.failureResultOf(deferreds[2], CancelledError)


class SiblingTests(SynchronousTestCase):
    """The same where it is used: one client takes another one with it."""

    def check(self, first: Deferred[object], second: Deferred[object]) -> None:
        first.addBoth(lambda _: second.cancel())

    def test_flights(self) -> None:
        """Work that many share ends for the others."""
        flights: Flights[str, int] = Flights()
        work: Deferred[int] = Deferred()
        waiting = [flights.join("a", lambda: work) for _ in range(3)]
        self.check(waiting[0], waiting[1])
        work.callback(5)
        self.failureResultOf(waiting[1], CancelledError)
        self.assertEqual(self.successResultOf(waiting[2]), 5)

    def test_heads(self) -> None:
        """The head of a fill comes to the others, and so does its failure."""
        for tell in (Audience.announce, lambda one: one.fail(Failure(OSError()))):
            audience = Audience()
            waiting = [audience.head() for _ in range(3)]
            self.check(waiting[0], waiting[1])
            tell(audience)
            self.failureResultOf(waiting[1], CancelledError)
            self.assertTrue(waiting[2].called)
            waiting[2].addErrback(lambda failure: failure.trap(OSError))

    def test_bytes(self) -> None:
        """More of a fill comes to the others."""
        audience, state = Audience(), FillState()
        waiting = [audience.visible_past(offset, state) for offset in (0, 0, 5)]
        self.check(waiting[0], waiting[1])
        state.written, state.verified = 10, True
        audience.wake(state)
        self.failureResultOf(waiting[1], CancelledError)
        self.assertEqual(self.successResultOf(waiting[2]), 10)
