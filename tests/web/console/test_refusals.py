"""Failures, as visitors are told of them."""

from __future__ import annotations

import json

from twisted.internet.defer import fail

from tests.web.console.cases import ConsoleCase
from txregistry.interfaces.driver import DriverError


class RefusalsTests(ConsoleCase):
    """JSON for the API, a page for others."""

    def test_kinds(self) -> None:
        """An unknown path, another method, and what is malformed."""
        for path, method, status in (
            ("/nowhere", "GET", 404),
            ("/", "PUT", 405),
            ("/image?name=%21", "GET", 400),
        ):
            got = self.visit(path, method)
            self.assertEqual(got.status, status)
            self.assertIn(b"<!DOCTYPE html>", got.body)

    def test_nothing_is_taken_for_markup(self) -> None:
        """What somebody has written is text."""
        got = self.visit("/image?name=%3Cscript%3E")
        self.assertNotIn(b"<script>", got.body)
        self.assertIn(b"&lt;script&gt;", got.body)

    def test_storage(self) -> None:
        """A disk that fails is 503, without its paths."""
        error = DriverError("filesystem", "/secret/path", "broken")
        self.patch(type(self.house.local), "repositories", lambda *_, **__: fail(error))
        got = self.visit("/api/v1/repositories")
        self.assertEqual(got.status, 503)
        self.assertIn(b"broken", got.body)
        self.assertNotIn(b"secret", got.body)

    def test_a_mistake_of_ours(self) -> None:
        """It is logged, and the client gets the id by which to find it."""
        self.patch(
            type(self.house.local), "repositories", lambda *_, **__: fail(KeyError(1))
        )
        got = self.visit("/api/v1/repositories")
        self.assertEqual(got.status, 500)
        (error,) = json.loads(got.body)["errors"]
        self.assertEqual(len(error["detail"]["request"]), 32)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)
