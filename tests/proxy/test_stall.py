"""How long a download may bring nothing new."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.proxy.stall import StallClock
from txregistry.spec.errors import UpstreamTimeout


class StallTests(SynchronousTestCase):
    """Work that may bring nothing for ninety seconds."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.stall = StallClock(self.clock, 90.0)
        self.work: Deferred[None] = Deferred()
        self.watched = self.stall.watch(self.work)

    def tearDown(self) -> None:
        self.watched.addErrback(lambda _: None).cancel()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_done(self) -> None:
        """Work that ends in time is let be, and fails as it does."""
        self.clock.advance(89)
        self.work.callback(None)
        self.successResultOf(self.watched)
        self.setUp()
        self.work.errback(ZeroDivisionError())
        self.failureResultOf(self.watched, ZeroDivisionError)

    def test_stalled(self) -> None:
        """It is cancelled, and told as the upstream's silence."""
        self.clock.advance(90)
        error = self.failureResultOf(self.watched, UpstreamTimeout).value
        self.assertEqual(error.detail, {"reason": "sent no new byte for 90 s"})
        self.assertTrue(self.work.called)

    def test_held_back(self) -> None:
        """While we hold it back ourselves no time counts, whatever arrives late."""
        self.stall.hold(True)
        self.stall.progressed()
        self.clock.advance(900)
        self.assertNoResult(self.watched)
        self.stall.hold(False)
        self.clock.advance(89)
        self.assertNoResult(self.watched)
        self.clock.advance(1)
        self.failureResultOf(self.watched, UpstreamTimeout)

    def test_progress(self) -> None:
        """Each new byte has it count anew."""
        for _ in range(3):
            self.clock.advance(89)
            self.stall.progressed()
        self.assertNoResult(self.watched)
        self.clock.advance(90)
        self.failureResultOf(self.watched, UpstreamTimeout)

    def test_sent_once_more(self) -> None:
        """So does each byte that is there already, the first time that it is passed."""
        self.clock.advance(60)
        self.stall.skipped(10)
        self.clock.advance(60)
        self.assertNoResult(self.watched)
        for position in (5, 10):
            self.stall.skipped(position)
        self.clock.advance(30)
        self.failureResultOf(self.watched, UpstreamTimeout)

    def test_whoever_cancels(self) -> None:
        """That is no stall."""
        self.watched.cancel()
        self.failureResultOf(self.watched, CancelledError)
        self.assertTrue(self.work.called)

    def test_afterwards(self) -> None:
        """What is told after the end sets no timer."""
        self.work.callback(None)
        self.stall.progressed()
        self.stall.skipped(5)
        self.assertEqual(self.clock.getDelayedCalls(), [])
