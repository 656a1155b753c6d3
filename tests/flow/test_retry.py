"""Waiting between attempts."""

from __future__ import annotations

from twisted.internet.defer import (
    CancelledError,
    fail,
    succeed,
)
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow.retry import backoff, retry


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
