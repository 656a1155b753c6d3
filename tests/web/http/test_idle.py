"""A deadline that is put off, taken back and kept."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.web.http.idle import IdleTimer


class IdleTimerTests(SynchronousTestCase):
    """It comes when it is due, not before, and once."""

    def setUp(self) -> None:
        """Have a timer that notes when it came."""
        self.clock = Clock()
        self.came: list[float] = []
        self.timer = IdleTimer(self.clock)

    def start(self, seconds: float) -> None:
        """Let it come later."""
        given = self.timer.start(
            seconds, lambda: self.came.append(self.clock.seconds())
        )
        self.assertIs(given, self.timer)

    def pass_time(self, seconds: int) -> None:
        """Let time pass, a second at once."""
        self.clock.pump([1] * seconds)

    def test_due(self) -> None:
        """It comes once, and leaves nothing behind."""
        self.start(10)
        self.pass_time(30)
        self.assertEqual(self.came, [10])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_put_off(self) -> None:
        """It counts from when it was last put off, with one call of the clock."""
        self.start(10)
        for _ in range(7):
            self.pass_time(4)
            self.timer.reset(10)
            self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.pass_time(20)
        self.assertEqual(self.came, [38])

    def test_sooner(self) -> None:
        """It can be wanted earlier than before."""
        self.start(60)
        self.timer.reset(5)
        self.pass_time(90)
        self.assertEqual(self.came, [5])

    def test_taken_back(self) -> None:
        """What was taken back does not come, and can be started again meanwhile."""
        self.start(10)
        self.timer.cancel()
        self.pass_time(8)
        self.start(10)
        self.pass_time(30)
        self.assertEqual(self.came, [18])

    def test_taken_back_for_good(self) -> None:
        """The clock is asked no more when nothing is wanted."""
        self.start(10)
        self.timer.cancel()
        self.pass_time(10)
        self.assertEqual(self.came, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stopped(self) -> None:
        """Nothing is left with the clock at once."""
        self.start(10)
        self.timer.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.timer.stop()
        self.pass_time(30)
        self.assertEqual(self.came, [])

    def test_started_by_what_it_does(self) -> None:
        """What is done may start it again."""
        self.timer.start(3, lambda: self.start(4))
        self.pass_time(20)
        self.assertEqual(self.came, [7])
