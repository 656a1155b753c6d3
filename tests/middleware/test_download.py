"""Small documents by HTTP."""

from __future__ import annotations

from treq.client import HTTPClient
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as TimedOut
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseFailed
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from txregistry.middleware.download import NotFetched, fetch
from txregistry.testing.wire import Wire

LIMIT = 1000


class Documents(Resource):
    """Answers as its path says."""

    isLeaf = True

    def render_GET(self, request):
        kind = request.path.decode().strip("/")
        if kind == "hang":
            request.write(b"x")
            return NOT_DONE_YET
        if kind == "cut":
            request.setHeader("Content-Length", "100")
            request.write(b"x")
            request.channel.loseConnection()
            return NOT_DONE_YET
        if kind.startswith("status"):
            request.setResponseCode(int(kind[-3:]))
        return b"x" * (int(kind) if kind.isdigit() else 1)


class FetchTests(SynchronousTestCase):
    """A bound in bytes and in time."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.wire = Wire(Site(Documents(), reactor=self.clock), self.clock)

    def fetch(self, kind: str) -> Deferred[bytes]:
        url = f"http://a.example/{kind}"
        done = fetch(HTTPClient(self.wire), url, LIMIT, 10.0, self.clock)
        while self.wire.pump():
            pass
        return done

    def test_whole(self) -> None:
        """Up to the bound."""
        for size in (0, 1, LIMIT):
            self.assertEqual(self.successResultOf(self.fetch(str(size))), b"x" * size)

    def test_too_long(self) -> None:
        """A byte more is none at all."""
        error = self.failureResultOf(self.fetch(str(LIMIT + 1)), NotFetched).value
        self.assertEqual(str(error), "is longer than 1000 bytes")

    def test_status(self) -> None:
        """Only 200 has a document."""
        error = self.failureResultOf(self.fetch("status503"), NotFetched).value
        self.assertEqual(str(error), "is answered with 503")

    def test_cut(self) -> None:
        """Half a document is none."""
        self.failureResultOf(self.fetch("cut"), ResponseFailed, NotFetched)

    def test_slow(self) -> None:
        """The time is for all of it; nothing is left of who does not end."""
        done = self.fetch("hang")
        self.clock.advance(9)
        self.assertNoResult(done)
        self.clock.advance(1)
        self.failureResultOf(done, TimedOut)

    def test_cancelled(self) -> None:
        """Cancelling ends it."""
        done = self.fetch("hang")
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.assertEqual(
            [call for call in self.clock.getDelayedCalls() if call.getTime() <= 10], []
        )
