"""What an upstream's answer means to our client."""

from __future__ import annotations

import os
import time

from hypothesis import given
from hypothesis.strategies import floats, text
from twisted.trial.unittest import SynchronousTestCase

from txregistry.remote.answers import (
    MAX_RETRY_AFTER,
    error_of,
    parse_date,
    parse_retry_after,
)
from txregistry.spec.errors import (
    Denied,
    RegistryError,
    TooManyRequests,
    Unauthorized,
    UpstreamFailed,
)

#: The example of RFC 9110, 5.6.7.
MOMENT = 784111777.0
DATES = (
    "Sun, 06 Nov 1994 08:49:37 GMT",
    "Sunday, 06-Nov-94 08:49:37 GMT",
    "Sun Nov  6 08:49:37 1994",
)


class ErrorTests(SynchronousTestCase):
    """Statuses as errors."""

    def test_kinds(self) -> None:
        """Refusals are told as they are; all else is a failure of the upstream."""
        kinds: dict[int, type[RegistryError]] = {
            401: Unauthorized,
            403: Denied,
            429: TooManyRequests,
            400: UpstreamFailed,
            404: UpstreamFailed,
            418: UpstreamFailed,
            500: UpstreamFailed,
            503: UpstreamFailed,
        }
        for status, kind in kinds.items():
            error = error_of(status, "upstream.example", None)
            self.assertIs(type(error), kind)
            facts = {"upstream": "upstream.example", "status": status}
            self.assertEqual(error.detail, facts)

    def test_wait_of_a_rate_limit(self) -> None:
        """How long the upstream says to wait is passed on with 429."""
        error = error_of(429, "upstream.example", 7.0)
        self.assertEqual(error.headers, {"Retry-After": "7"})


class RetryAfterTests(SynchronousTestCase):
    """The header that says when to come again."""

    def test_seconds(self) -> None:
        """A number is seconds, with any zeros and blanks around it."""
        for header, seconds in (
            ("0", 0.0),
            ("120", 120.0),
            (" 5\t", 5.0),
            ("0000000000120", 120.0),
        ):
            self.assertEqual(parse_retry_after(header, MOMENT), seconds, header)

    def test_most(self) -> None:
        """No wait is believed beyond the most, however long the number."""
        for header in ("3601", "9" * 9, "1" + "0" * 9, "9" * 10_000):
            self.assertEqual(parse_retry_after(header, 0), MAX_RETRY_AFTER, header[:9])
        self.assertEqual(parse_retry_after(DATES[0], 0), MAX_RETRY_AFTER)

    def test_dates(self) -> None:
        """A date counts from now; one that has passed is now."""
        for date in DATES:
            self.assertEqual(parse_retry_after(date, MOMENT - 30), 30.0, date)
            self.assertEqual(parse_retry_after(date, MOMENT + 30), 0.0, date)

    def test_malformed(self) -> None:
        """What is neither says nothing."""
        for header in (None, "", "soon", "-1", "1.5", "+3", "1 2", "٣", "²"):
            self.assertIsNone(parse_retry_after(header, MOMENT), header)

    @given(text(), floats(0, 2e9))
    def test_anything(self, header: str, now: float) -> None:
        """Whatever it says, the wait is within bounds or not there."""
        seconds = parse_retry_after(header, now)
        self.assertTrue(seconds is None or 0 <= seconds <= MAX_RETRY_AFTER)


class DateTests(SynchronousTestCase):
    """The three forms of a date."""

    def test_forms(self) -> None:
        """Each is the same moment."""
        for date in DATES:
            self.assertEqual(parse_date(date), MOMENT, date)

    def test_zone_of_the_machine(self) -> None:
        """A date that names no zone is in UTC, wherever we are."""
        was = os.environ.get("TZ")
        self.addCleanup(self.set_zone, was)
        self.set_zone("Etc/GMT-5")
        for date in DATES:
            self.assertEqual(parse_date(date), MOMENT, date)

    def set_zone(self, zone: str | None) -> None:
        os.environ.pop("TZ", None)
        if zone is not None:
            os.environ["TZ"] = zone
        time.tzset()

    def test_none(self) -> None:
        """What is no date, or none that a clock can show, is none."""
        for date in (None, "", "x", "Sun, 99 Nov 1994 08:49:37 GMT", "0", "Mon,"):
            self.assertIsNone(parse_date(date), date)
