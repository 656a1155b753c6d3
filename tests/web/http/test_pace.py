"""How fast a body comes."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.web.http.pace import PERIOD_SECONDS, Pace

RATE = 100.0
ENOUGH = int(RATE * PERIOD_SECONDS)


class PaceTests(SynchronousTestCase):
    """A body that should come with 100 bytes a second."""

    def setUp(self) -> None:
        self.pace = Pace(RATE, 1000.0)
        self.pace.resume(1000.0)

    def test_pause_within_a_period(self) -> None:
        """Nothing is said before a period has passed."""
        self.assertFalse(self.pace.is_slow(1000.0 + PERIOD_SECONDS - 1))
        self.assertTrue(self.pace.is_slow(1000.0 + PERIOD_SECONDS))

    def test_enough(self) -> None:
        """The least is not too little, one byte less is."""
        for came, is_slow in ((ENOUGH, False), (ENOUGH - 1, True)):
            self.setUp()
            self.pace.count(came - 10)
            self.pace.count(10)
            self.assertEqual(self.pace.is_slow(1000.0 + PERIOD_SECONDS), is_slow)

    def test_each_period_counts_by_itself(self) -> None:
        """Much in one period is no excuse in the next."""
        self.pace.count(10 * ENOUGH)
        self.assertFalse(self.pace.is_slow(1000.0 + PERIOD_SECONDS))
        self.assertFalse(self.pace.is_slow(1000.0 + 1.5 * PERIOD_SECONDS))
        self.assertTrue(self.pace.is_slow(1000.0 + 2 * PERIOD_SECONDS))

    def test_long_period(self) -> None:
        """If nobody has asked for long, it is about all that time."""
        self.pace.count(2 * ENOUGH)
        self.assertTrue(self.pace.is_slow(1000.0 + 3 * PERIOD_SECONDS))

    def test_begins_held(self) -> None:
        """No time counts before the client is let send."""
        pace = Pace(RATE, 1000.0)
        self.assertFalse(pace.is_slow(9000.0))
        pace.resume(9000.0)
        self.assertFalse(pace.is_slow(9000.0 + PERIOD_SECONDS - 1))
        self.assertTrue(pace.is_slow(9000.0 + PERIOD_SECONDS))

    def test_held_back(self) -> None:
        """Time in which we are slow is none of the client's."""
        self.pace.pause(1010.0)
        self.pace.pause(1500.0)
        self.assertFalse(self.pace.is_slow(1900.0))
        self.pace.resume(2010.0)
        self.pace.resume(2900.0)
        self.assertFalse(self.pace.is_slow(2009.0 + PERIOD_SECONDS - 10))
        self.assertTrue(self.pace.is_slow(2010.0 + PERIOD_SECONDS - 10))

    def test_any_rate(self) -> None:
        """Where no rate is asked for, nobody is slow."""
        pace = Pace(0, 0.0)
        pace.resume(0.0)
        self.assertFalse(pace.is_slow(9999.0))
