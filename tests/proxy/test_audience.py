"""Those who wait for a blob that is being filled."""

from __future__ import annotations

from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from txregistry.proxy.audience import Audience
from txregistry.proxy.state import HELD_BACK_BYTES, FillState
from txregistry.spec.errors import UpstreamFailed


class HeadTests(SynchronousTestCase):
    """Who waits for what the blob is."""

    def setUp(self) -> None:
        self.audience = Audience()

    def test_announced(self) -> None:
        """All who wait are told, and who comes later at once."""
        waiting = [self.audience.head(), self.audience.head()]
        for head in waiting:
            self.assertNoResult(head)
        self.assertFalse(self.audience.has_head)
        self.audience.announce()
        for head in (*waiting, self.audience.head()):
            self.successResultOf(head)
        self.audience.announce()
        self.assertTrue(self.audience.has_head)

    def test_failed(self) -> None:
        """All fail, also who comes later; and though it was announced before."""
        waiting = self.audience.head()
        self.audience.fail(Failure(UpstreamFailed()))
        for head in (waiting, self.audience.head()):
            self.failureResultOf(head, UpstreamFailed)
        announced = Audience(has_head=True)
        announced.fail(Failure(UpstreamFailed()))
        self.failureResultOf(announced.head(), UpstreamFailed)

    def test_leaving(self) -> None:
        """Who leaves is told nothing more, and harms nobody."""
        first, second = self.audience.head(), self.audience.head()
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.audience.announce()
        self.successResultOf(second)


class VisibleTests(SynchronousTestCase):
    """Who waits for more."""

    def setUp(self) -> None:
        self.audience, self.state = Audience(), FillState()

    def show(self, visible: int) -> None:
        self.state.written = visible + HELD_BACK_BYTES
        self.audience.wake(self.state)

    def wait(self, offset: int):
        return self.audience.visible_past(offset, self.state)

    def test_at_once(self) -> None:
        """What is past the offset already need not be waited for."""
        self.show(10)
        self.assertEqual(self.successResultOf(self.wait(9)), 10)
        self.assertNoResult(self.wait(10))

    def test_woken(self) -> None:
        """Only those are told for whom there is more; the others wait on."""
        near, far = self.wait(0), self.wait(10)
        self.show(0)
        self.assertNoResult(near)
        self.show(10)
        self.assertEqual(self.successResultOf(near), 10)
        self.assertNoResult(far)
        self.show(11)
        self.assertEqual(self.successResultOf(far), 11)
        self.assertEqual(self.audience._waiters, {})

    def test_end(self) -> None:
        """At the end all are told the end, though it is not past their offset."""
        waiting = [self.wait(offset) for offset in (0, 5, 9)]
        self.state.written, self.state.verified = 5, True
        self.audience.wake(self.state)
        for one in (*waiting, self.wait(7)):
            self.assertEqual(self.successResultOf(one), 5)

    def test_failed(self) -> None:
        """Who waits fails, and so does who comes later for what is not there."""
        self.show(10)
        waiting = [self.wait(10), self.wait(20)]
        self.audience.fail(Failure(UpstreamFailed()))
        for one in (*waiting, self.wait(10)):
            self.failureResultOf(one, UpstreamFailed)
        self.assertEqual(self.successResultOf(self.wait(5)), 10)
        self.assertEqual(self.audience._waiters, {})

    def test_verified_before_it_failed(self) -> None:
        """What is whole can be read though it could not be stored."""
        self.state.written, self.state.verified = 5, True
        self.audience.fail(Failure(UpstreamFailed()))
        self.assertEqual(self.successResultOf(self.wait(5)), 5)

    def test_waiting_again_from_within(self) -> None:
        """Who is told may wait for more at once."""
        again = []
        self.wait(0).addCallback(lambda seen: again.append(self.wait(seen)))
        self.show(10)
        self.assertNoResult(again[0])
        self.show(20)
        self.assertEqual(self.successResultOf(again[0]), 20)
