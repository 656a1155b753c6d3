"""Numbers, sizes and times in words."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.web.console import words


class WordsTests(SynchronousTestCase):
    """As people read them."""

    def test_counts(self) -> None:
        """One, none, many."""
        found = [words.count_of(number, "tag") for number in (0, 1, 1200)]
        self.assertEqual(found, ["0 tags", "1 tag", "1,200 tags"])
        found = [words.count_of(number, "other repository") for number in (1, 2)]
        self.assertEqual(found, ["1 other repository", "2 other repositories"])

    def test_scaled(self) -> None:
        """Three digits, and a letter."""
        for value, text in (
            (0.0, "0"),
            (0.0421, "0.0421"),
            (999.0, "999"),
            (1500.0, "1.5k"),
            (2_340_000.0, "2.34M"),
            (9e9, "9G"),
            (7e12, "7T"),
            (5e15, "5P"),
        ):
            self.assertEqual(words.scaled(value), text)

    def test_sizes(self) -> None:
        """Three digits, in units of a thousand."""
        for size, text in (
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (1536, "1.5 kB"),
            (99_949, "99.9 kB"),
            (99_960, "100 kB"),
            (999_600, "1.0 MB"),
            (123_456_789, "123 MB"),
            (5 * 10**18, "5,000 PB"),
        ):
            self.assertEqual(words.size_of(size), text)

    def test_spans(self) -> None:
        """The largest unit that fits."""
        for seconds, text in (
            (-5, "0 seconds"),
            (0.4, "0 seconds"),
            (1, "1 second"),
            (59, "59 seconds"),
            (61, "1 minute"),
            (7200, "2 hours"),
            (86400 * 400, "400 days"),
        ):
            self.assertEqual(words.span_of(seconds), text)

    def test_times(self) -> None:
        """Before, after, and never."""
        self.assertEqual(words.ago(90, 100), "10 seconds ago")
        self.assertEqual(words.ago(None, 100), "never")
        self.assertEqual(words.until(160, 100), "in 1 minute")
        self.assertEqual(words.until(90, 100), "now")
        self.assertEqual(words.until(None, 100), "never")
        self.assertEqual(words.moment(1_700_000_000), "2023-11-14T22:13:20Z")

    def test_others(self) -> None:
        """Shares, and digests that are cut."""
        self.assertEqual((words.share(1, 3), words.share(1, 0)), ("33 %", "-"))
        self.assertEqual(words.short("sha256:" + "a" * 64), "sha256:" + "a" * 12)
        self.assertEqual(words.short("mark"), "mark")
