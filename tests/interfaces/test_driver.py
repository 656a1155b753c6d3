"""Errors of drivers."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.interfaces.driver import (
    DriverError,
    InvalidOffset,
    InvalidPath,
    PathNotFound,
)


class ErrorTests(SynchronousTestCase):
    """What an error says."""

    def test_text(self) -> None:
        """Driver, path and reason; without a reason, its kind."""
        error = DriverError("inmemory", "/a", "no space")
        self.assertEqual(str(error), "inmemory: /a: no space")
        self.assertEqual((error.driver, error.path), ("inmemory", "/a"))
        for kind in (PathNotFound, InvalidPath, InvalidOffset):
            self.assertIsInstance(kind("d", "/a"), DriverError)
            self.assertEqual(str(kind("d", "/a")), f"d: /a: {kind.__name__}")
