"""Single flight."""

from __future__ import annotations

from twisted.internet.defer import (
    CancelledError,
    Deferred,
    succeed,
)
from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow.flights import Flights


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
