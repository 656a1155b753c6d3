"""Kinds of values."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.config.test_config import MINIMAL
from txregistry.assembly.yamltext import parse_yaml
from txregistry.config.fields import (
    Scalar,
    format_duration,
    host_and_port,
    is_empty,
    is_secret,
    key_text,
    kind_of,
    parse_duration,
    plain,
)
from txregistry.config.read import read_config


class DurationTests(SynchronousTestCase):
    """Durations, as Go has them."""

    def test_durations(self) -> None:
        """Go's way of writing them, with days and weeks of ours."""
        for text, seconds in (
            ("0", 0.0),
            (0, 0.0),
            ("10s", 10.0),
            ("1h30m", 5400.0),
            ("1.5h", 5400.0),
            ("100ms", 0.1),
            ("3µs", 3e-6),
            ("3μs", 3e-6),
            ("+5s", 5.0),
            ("168h0m0s", 604800.0),
            ("1d", 86400.0),
            ("2w", 1209600.0),
            ("1w2d3h", 788400.0),
        ):
            self.assertAlmostEqual(parse_duration(text), seconds)
        bad = ("", "10", "s", "10 s", "-5s", True, None, "10y", "1h30", -5, 1.5, "5S")
        for value in (*bad, 2**63, "9999999999999h", "1" * 400 + "s"):
            with self.assertRaises(ValueError):
                parse_duration(value)

    def test_whole_numbers_are_nanoseconds(self) -> None:
        """A duration without a unit counts nanoseconds, as in Go."""
        for number, seconds in ((500000000, 0.5), (10**10, 10.0), (1, 1e-9)):
            self.assertEqual(parse_duration(number), seconds)
        mapping = parse_yaml(
            "{version: 0.1, storage: inmemory, proxy: {ttl: 36_000_000_000_000},"
            " notifications: {endpoints: [{name: a, url: 'http://a/',"
            " timeout: 500000000}]}}"
        )
        config, warnings = read_config(mapping.value)
        self.assertEqual(config.notifications.endpoints[0].timeout, 0.5)
        self.assertEqual((config.proxy.ttl, warnings), (36000.0, []))

    def test_a_few_nanoseconds_were_meant_as_seconds(self) -> None:
        """Whoever writes 30 is told what it means and what to write instead."""
        config, (warning,) = read_config({**MINIMAL, "http": {"draintimeout": 30}})
        self.assertEqual(config.http.draintimeout, 3e-8)
        self.assertTrue(warning.startswith("http.draintimeout: 30 is in nanoseconds"))
        self.assertIn("write 30s", warning)

    def test_durations_that_are_printed(self) -> None:
        """What is printed reads back as what it was, however long or short."""
        for seconds in (0.0, 90.5, 1234567.0, 604801.5, 1e-9, 0.000123456, 9e9):
            self.assertEqual(parse_duration(format_duration(seconds)), seconds)


class ValueTests(SynchronousTestCase):
    """Values as they were written, and as they are read."""

    def test_plain(self) -> None:
        """Written values are read at all levels, keys too."""
        octal = Scalar(83, "0123")
        given = {Scalar(1, "1"): [octal, {"a": octal}], "b": "x"}
        self.assertEqual(plain(given), {"1": [83, {"a": 83}], "b": "x"})
        self.assertEqual((key_text(octal), key_text("b")), ("0123", "b"))

    def test_empty(self) -> None:
        """Nothing, and sections and lists of it; an empty text in a list is an item."""
        for value in (None, "", {}, [], {"a": None, "b": {"c": []}}, [{}, None]):
            self.assertTrue(is_empty(value), value)
        for value in (0, False, "x", {"a": 0}, [""], [[""]]):
            self.assertFalse(is_empty(value), value)

    def test_kinds(self) -> None:
        """Each kind has a name for messages; true is no number."""
        for value, name in (
            (True, "true or false"),
            (1, "a number"),
            (Scalar(1.5, "1.5"), "a number"),
            ("x", "text"),
            ({}, "a mapping"),
            ([], "a list"),
            (None, "nothing"),
            (object(), "a value of another kind"),
        ):
            self.assertEqual(kind_of(value), name)

    def test_addresses(self) -> None:
        """Host and port; an address in brackets loses them."""
        for address, expected in (
            ("h:1", ("h", 1)),
            (":5000", ("", 5000)),
            ("[::1]:80", ("::1", 80)),
        ):
            self.assertEqual(host_and_port(address), expected)

    def test_secrets(self) -> None:
        """Parameters of others are secret by their names."""
        for name in ("secretkey", "Password", "accountkey", "authtoken"):
            self.assertTrue(is_secret(name), name)
        for name in ("bucket", "region", "rootdirectory"):
            self.assertFalse(is_secret(name), name)
