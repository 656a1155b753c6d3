"""Uploads of others: nobody goes on with one that has only seen its id."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.digest import Digest
from txregistry.testing.house import TestHouse

CONTENT = b"what its owner sends"


class OthersUploadTests(SynchronousTestCase):
    """One who may push to the same repository, and has the id from a log."""

    def setUp(self) -> None:
        self.house = TestHouse()
        got = self.house.send("POST", "/v2/a/b/blobs/uploads/")
        self.location = got.header("Location") or ""
        self.bare = self.location.partition("?")[0]

    def finish(self) -> int:
        """Go on as the owner does."""
        path = f"{self.location}&digest={Digest.of(CONTENT)}"
        return self.house.send("PUT", path, CONTENT).status

    def test_nothing_without_the_state(self) -> None:
        """No method does anything to an upload whose state is not sent."""
        put = f"{self.bare}?digest={Digest.of(b'x')}"
        for method, path, body in (
            ("PATCH", self.bare, b"x"),
            ("PUT", put, b"x"),
            ("DELETE", self.bare, None),
            ("GET", self.bare, None),
            ("HEAD", self.bare, None),
        ):
            got = self.house.send(method, path, body)
            self.assertEqual(got.status, 404, method)
            self.assertIsNone(got.header("Location"), method)
        self.assertEqual(self.finish(), 201)

    def test_none_while_another_writes(self) -> None:
        """Who writes is not made to leave by one who lacks the state."""
        self.house.send("PATCH", self.location, CONTENT[:5])
        got = self.house.send("PATCH", self.bare, b"x")
        self.assertIn(b"BLOB_UPLOAD_INVALID", got.body)

    def test_unknown_is_unknown(self) -> None:
        """An upload that is not there is unknown, with and without a state."""
        self.house.send("DELETE", self.location)
        for path in (self.bare, self.location):
            got = self.house.send("GET", path)
            self.assertEqual(got.status, 404)
            self.assertIn(b"BLOB_UPLOAD_UNKNOWN", got.body)

    def test_log(self) -> None:
        """Neither its id nor its state is in what is told of a request."""
        upload_id = self.bare.rpartition("/")[2]
        self.house.send("GET", self.location, Referer=self.location)
        exchange = self.house.recorder.exchanges[-1]
        self.assertEqual(exchange.uri, "/v2/a/b/blobs/uploads/-?_state=-")
        for told in (exchange.uri, exchange.referer):
            self.assertNotIn(upload_id, told)
            self.assertNotIn("_state=e", told)
