"""Times as registries write them."""

from __future__ import annotations

from unittest import TestCase

from hypothesis import given
from hypothesis import strategies as st

from txregistry.flow.rfc3339 import read_time, write_time


class TimeTests(TestCase):
    """Writing and reading."""

    def test_written(self) -> None:
        """With as much of a second as is wanted."""
        for timespec, expected in (
            ("seconds", "2023-11-14T22:13:20Z"),
            ("milliseconds", "2023-11-14T22:13:20.250Z"),
            ("microseconds", "2023-11-14T22:13:20.250000Z"),
        ):
            self.assertEqual(write_time(1_700_000_000.25, timespec), expected)
        self.assertEqual(write_time(1_700_000_000, "auto"), "2023-11-14T22:13:20Z")

    def test_read(self) -> None:
        """As Go writes them, in any zone."""
        for text in (
            "2023-11-14T22:13:20Z",
            "2023-11-15T00:13:20+02:00",
            "2023-11-14T22:13:20.000000000Z",
            "2023-11-14T22:13:20.000000123-00:00",
        ):
            self.assertEqual(read_time(text), 1_700_000_000.0)
        self.assertEqual(read_time("1970-01-01T00:00:00.5Z"), 0.5)

    def test_none(self) -> None:
        """What is none, or says no zone, is refused."""
        for text in ("", "now", "2023-11-14T22:13:20", "2023-13-14T22:13:20Z"):
            self.assertRaises(ValueError, read_time, text)

    @given(st.integers(0, 4_000_000_000))
    def test_there_and_back(self, seconds: int) -> None:
        """What is written is read again."""
        self.assertEqual(read_time(write_time(seconds)), seconds)
