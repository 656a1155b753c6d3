"""Answers that come slowly."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow.streams import Watchdog
from txregistry.storagedriver.s3.pace import PROGRESS_BYTES, AnswerPace


class PaceTests(SynchronousTestCase):
    """What is progress."""

    def test_pace(self) -> None:
        """A byte now and then is none; a lot of them is; the end is quiet."""
        clock, told = Clock(), []
        pace = AnswerPace(Watchdog(clock, 60.0, lambda: told.append(clock.seconds())))
        pace.begin()
        clock.advance(50)
        self.assertFalse(pace.came(1))
        self.assertTrue(pace.came(PROGRESS_BYTES))
        for _ in range(3):
            clock.advance(25)
            self.assertFalse(pace.came(1))
        self.assertEqual(told, [125.0])
        pace.begin()
        pace.end()
        clock.advance(100)
        self.assertEqual(told, [125.0])
