"""Requests and their answers, as logs have them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from txregistry.web.http.exchange import CLIENT_LEFT, masked, record


class MaskTests(SynchronousTestCase):
    """What lets its reader resume somebody's upload stands in no log."""

    def test_uploads(self) -> None:
        """However it is written."""
        for uri, expected in (
            (
                "/v2/a/blobs/uploads/id?_state=x&n=1",
                "/v2/a/blobs/uploads/-?_state=-&n=1",
            ),
            (
                "/v2/a/blobs/uploads/id?n=1&%5Fstate=x",
                "/v2/a/blobs/uploads/-?n=1&%5Fstate=-",
            ),
            ("/v2/a/blobs%2Fuploads%2fid", "/v2/a/blobs%2Fuploads%2f-"),
            (
                "/v2/a/blobs/%75pl%6fads/i%64?_st%61te=x&n=1",
                "/v2/a/blobs/%75pl%6fads/-?_st%61te=-&n=1",
            ),
            (
                "/v2/a/tags/list?n=%31&%5f%73tate=x",
                "/v2/a/tags/list?n=%31&%5f%73tate=-",
            ),
            ("/v2/uploads/manifests/v1", "/v2/uploads/manifests/v1"),
            ("/v2/a/blobs/uploads/", "/v2/a/blobs/uploads/"),
            ("/v2/a/tags/list?state=x", "/v2/a/tags/list?state=x"),
        ):
            self.assertEqual(masked(uri), expected)


class RecordTests(SynchronousTestCase):
    """One request."""

    def record(self, now: float = 12.5, **changes: Any) -> Any:
        headers = {"Referer": "/v2/a/blobs/uploads/id?_state=x", "User-Agent": "oras/1"}
        fields = {
            "responseHeaders": Headers({b"Cache-Status": [b"a", b"txregistry; hit"]}),
            "request_id": "r1",
            "handler": "blob",
            "peer": "192.0.2.1",
            "actor": "",
            "method": b"G\xffT",
            "uri": b"/v2/a/blobs/uploads/id?_state=x",
            "clientproto": b"HTTP/1.1",
            "client_left": False,
            "code": 200,
            "sentLength": 5,
            "began_at": 10.0,
            "head_at": 11.5,
            "header": headers.__getitem__,
            "aborted": False,
        }
        return record(SimpleNamespace(**{**fields, **changes}), now)

    def test_fields(self) -> None:
        """Seconds, bytes and the last ``Cache-Status``; uploads are masked."""
        found = self.record()
        self.assertEqual((found.seconds, found.sent_bytes, found.status), (2.5, 5, 200))
        self.assertEqual(found.wait_seconds, 1.5)
        self.assertEqual(self.record(head_at=None).wait_seconds, 2.5)
        self.assertEqual(found.cache_status, "txregistry; hit")
        self.assertEqual((found.user, found.user_agent), ("-", "oras/1"))
        for text in (found.uri, found.referer):
            self.assertEqual(text, "/v2/a/blobs/uploads/-?_state=-")
        self.assertEqual(found.method, "G\ufffdT")

    def test_client_that_left(self) -> None:
        """Who left before the end is 499, whatever would have been answered."""
        found = self.record(client_left=True, actor="ann")
        self.assertEqual((found.status, found.user), (CLIENT_LEFT, "ann"))

    def test_clock_that_was_set_back(self) -> None:
        """A request takes no negative time."""
        self.assertEqual(self.record(now=1.0).seconds, 0.0)
        without = self.record(responseHeaders=Headers())
        self.assertEqual(without.cache_status, "")
