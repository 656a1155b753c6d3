"""What is remembered of paths and their routes."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

from klein import Klein
from twisted.trial.unittest import SynchronousTestCase
from werkzeug.exceptions import MethodNotAllowed, NotFound

from txregistry.web import router
from txregistry.web.router import Router


class CachedPathTests(SynchronousTestCase):
    """A path that comes again is not looked up again."""

    def setUp(self) -> None:
        """Have a table of two routes."""
        app = Klein()
        self.asked: list[tuple[str, dict[str, Any]]] = []

        @app.route("/v2/<path:name>/blobs/<digest>", methods=["GET"])
        def blob(request: Mock, **parts: Any) -> bytes:
            self.asked.append(("blob", dict(parts)))
            parts.clear()  # these are whoever's who answers
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

    @property
    def counts(self) -> tuple[int, int]:
        """Count the paths that were found again, and those that are remembered."""
        info = self.router._cached_find.cache_info()
        return info.hits, info.currsize

    def test_again(self) -> None:
        """It has the same route and the same parts."""
        for _ in range(3):
            self.assertEqual(self.run_for(b"/v2/a/b/blobs/c%3Ad"), b"blob")
        self.assertEqual(self.asked, [("blob", {"name": "a/b", "digest": "c:d"})] * 3)
        self.assertEqual(self.counts, (2, 1))

    def test_method(self) -> None:
        """Each method of a path has its own."""
        with self.assertRaises(MethodNotAllowed):
            self.run_for(b"/v2/a/blobs/uploads/", b"PUT")
        self.assertEqual(self.run_for(b"/v2/a/blobs/uploads/", b"POST"), b"upload")
        self.assertEqual(self.counts, (0, 1))

    def test_unknown(self) -> None:
        """What is not there takes no room."""
        for path in (b"/v3/", b"/v2/\xff/blobs/a", b"/v2/%ff/blobs/a"):
            with self.assertRaises(NotFound):
                self.run_for(path)
        self.assertEqual(self.counts, (0, 0))

    def test_long(self) -> None:
        """What would take much room is looked up each time."""
        path = b"/v2/%b/blobs/a" % (b"a" * 600)
        for _ in range(2):
            self.assertEqual(self.run_for(path), b"blob")
        self.assertEqual(self.counts, (0, 0))

    def test_many(self) -> None:
        """The one that was not asked for longest is forgotten."""
        for number in range(router.CACHED_PATHS + 1):
            self.run_for(b"/v2/a/blobs/%d" % number)
        self.run_for(b"/v2/a/blobs/%d" % router.CACHED_PATHS)
        self.run_for(b"/v2/a/blobs/0")
        self.assertEqual(self.counts, (1, router.CACHED_PATHS))
