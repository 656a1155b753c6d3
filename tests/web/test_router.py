"""Routes, and the parts of their paths."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

from klein import Klein
from twisted.trial.unittest import SynchronousTestCase
from werkzeug.exceptions import MethodNotAllowed, NotFound

from txregistry.web.router import Router


class RouterTests(SynchronousTestCase):
    """The route for a path."""

    def setUp(self) -> None:
        """Have a table of two routes."""
        app = Klein()
        self.asked: list[tuple[str, dict[str, Any]]] = []

        @app.route("/v2/<path:name>/blobs/<digest>", methods=["GET"])
        def blob(request: Mock, **parts: Any) -> bytes:
            self.asked.append(("blob", dict(parts)))
            parts.clear()
            return b"blob"

        @app.route("/v2/<path:name>/blobs/uploads/", methods=["POST"])
        def upload(request: Mock, **parts: Any) -> bytes:
            self.asked.append(("upload", dict(parts)))
            return b"upload"

        self.router = Router(app, [])

    def run_for(self, path: bytes, method: bytes = b"GET") -> bytes:
        """Run what the table names for a path."""
        request = Mock(path=path, method=method)
        return self.router._run(request)

    def test_again(self) -> None:
        """A handler may change its parts; the next one gets its own."""
        for _ in range(3):
            self.assertEqual(self.run_for(b"/v2/a/b/blobs/c%3Ad"), b"blob")
        self.assertEqual(self.asked, [("blob", {"name": "a/b", "digest": "c:d"})] * 3)

    def test_method(self) -> None:
        """Each method of a path has its own."""
        with self.assertRaises(MethodNotAllowed):
            self.run_for(b"/v2/a/blobs/uploads/", b"PUT")
        self.assertEqual(self.run_for(b"/v2/a/blobs/uploads/", b"POST"), b"upload")

    def test_unknown(self) -> None:
        """A path without a route is not found, whatever its bytes."""
        for path in (b"/v3/", b"/v2/\xff/blobs/a", b"/v2/%ff/blobs/a"):
            with self.assertRaises(NotFound):
                self.run_for(path)
