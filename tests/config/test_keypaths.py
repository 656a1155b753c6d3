"""Paths of keys."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.config.keypaths import is_within, path_of


class PathTests(SynchronousTestCase):
    """What a problem is about."""

    def test_within(self) -> None:
        """A key is within its section, and within itself."""
        for path, outer, expected in (
            ("a", "a", True),
            ("a.b", "a", True),
            ("a[0].b", "a", True),
            ("ab", "a", False),
            ("a", "a.b", False),
            ("a", "", True),
        ):
            self.assertEqual(is_within(path, outer), expected, (path, outer))

    def test_path(self) -> None:
        """It is what the problem begins with."""
        self.assertEqual(path_of("a.b: expected c: d"), "a.b")
