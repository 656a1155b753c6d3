"""What we rely on of Twisted's Deferreds, and it does not promise."""

from __future__ import annotations

import gc

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from txregistry.speed.twisted_private import (
    hold_failure,
    mark_failure_seen,
)


class FailureTests(SynchronousTestCase):
    """A Deferred that was made to fail is like one that was told."""

    def failed(self) -> Deferred[None]:
        deferred: Deferred[None] = Deferred()
        hold_failure(deferred, Failure(ZeroDivisionError()))
        return deferred

    def test_handled(self) -> None:
        """It calls its errbacks."""
        self.failureResultOf(self.failed(), ZeroDivisionError)

    def test_unhandled(self) -> None:
        """A failure that nobody has seen is logged."""
        self.failed()
        gc.collect()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_seen(self) -> None:
        """One that was seen is not."""
        mark_failure_seen(self.failed())
        gc.collect()
        self.assertEqual(self.flushLoggedErrors(ZeroDivisionError), [])
