"""``storage.maintenance.scrub``, and sizes."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.config.test_read import problems, read
from txregistry.config.fields import format_size, parse_size
from txregistry.config.show import effective
from txregistry.config.storage import ScrubSection

STORAGE = "version: 0.1\nstorage: {inmemory: {}, maintenance: {scrub: %s}}"


class ScrubSectionTests(SynchronousTestCase):
    """The section."""

    def scrub(self, text: str) -> ScrubSection:
        return read("", STORAGE % text).storage.maintenance.scrub

    def test_defaults(self) -> None:
        """Off; every thirty days, at 20 MiB per second."""
        found = self.scrub("{}")
        self.assertEqual(
            (found.enabled, found.interval, found.rate), (False, 30 * 86400, 20 << 20)
        )

    def test_values(self) -> None:
        """Durations and sizes as elsewhere; what is shown reads back."""
        found = self.scrub("{enabled: true, interval: 7d, rate: 1.5MB}")
        self.assertEqual(
            (found.enabled, found.interval, found.rate), (True, 7 * 86400, 1_500_000)
        )
        config = read("", STORAGE % "{rate: 512KiB}")
        shown = effective(config)["storage"]["maintenance"]["scrub"]
        self.assertEqual(shown["rate"], "512KiB")
        self.assertEqual(self.scrub("{rate: 0}").rate, 0)
        self.assertEqual(self.scrub("{rate: 4096}").rate, 4096)

    def test_problems(self) -> None:
        """What is no size, and an interval that never ends a pass."""
        text = "{rate: fast, interval: 5m}"
        first, second = sorted(problems("", STORAGE % text))
        path = "storage.maintenance.scrub"
        self.assertEqual(first, f"{path}.interval: expected 1h or more")
        self.assertIn(f"{path}.rate: expected a size such as", second)
        self.assertIn("found 'fast'", second)
        for wrong in ("-1", "1e3", "true", "[1]", "20M", "1.5", "0x10"):
            found = problems("", STORAGE % f"{{rate: {wrong}}}")
            self.assertEqual(bool(found), wrong != "1.5", wrong)


class SizeTests(SynchronousTestCase):
    """Sizes by themselves."""

    def test_units(self) -> None:
        """Powers of 1000 and of 1024; a bare number is bytes."""
        for text, expected in (
            ("0", 0),
            (7, 7),
            ("12B", 12),
            ("1kB", 1000),
            ("1KB", 1000),
            ("1 KiB", 1024),
            ("2.5MiB", 2_621_440),
            ("3GB", 3_000_000_000),
            ("1TiB", 1 << 40),
        ):
            self.assertEqual(parse_size(text), expected)

    def test_too_large(self) -> None:
        """No file is so large."""
        with self.assertRaises(ValueError):
            parse_size("99999999TiB")

    def test_shown(self) -> None:
        """In the largest unit that loses nothing."""
        for size in (0, 1, 1000, 1024, 1536, 1 << 20, 3 << 30, 5 << 40):
            self.assertEqual(parse_size(format_size(size)), size)
        self.assertEqual(format_size(3 << 30), "3GiB")
