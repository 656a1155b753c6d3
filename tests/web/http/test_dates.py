"""The time on answers."""

from __future__ import annotations

from unittest.mock import patch

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.testing.house import TestHouse
from txregistry.web.http import dates
from txregistry.web.http.dates import DateLine


class DateLineTests(SynchronousTestCase):
    """Written once a second."""

    def test_moves_on(self) -> None:
        """It is that of the clock, in the form of HTTP."""
        clock = Clock()
        date = DateLine(clock)
        self.assertEqual(date.now(), b"Thu, 01 Jan 1970 00:00:00 GMT")
        clock.advance(86_400.9)
        self.assertEqual(date.now(), b"Fri, 02 Jan 1970 00:00:00 GMT")
        clock.advance(0.1)
        self.assertEqual(date.now(), b"Fri, 02 Jan 1970 00:00:01 GMT")
        clock.rightNow = 5.0  # it was wrong, and has been set
        self.assertEqual(date.now(), b"Thu, 01 Jan 1970 00:00:05 GMT")

    def test_once(self) -> None:
        """Many answers of a second cost as much as one."""
        clock = Clock()
        date = DateLine(clock)
        with patch.object(
            dates, "datetimeToString", wraps=dates.datetimeToString
        ) as wrote:
            for _ in range(10):
                date.now()
                clock.advance(0.09)
        wrote.assert_called_once_with(0)

    def test_on_every_answer(self) -> None:
        """Each says when it was given."""
        house = TestHouse(clock=Clock())
        for seconds in (0, 7):
            house.clock.advance(seconds)
            expected = f"Tue, 14 Nov 2023 22:13:2{seconds} GMT"
            self.assertEqual(house.send("GET", "/v2/").header("Date"), expected)
