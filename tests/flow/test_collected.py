"""Small bodies of responses."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseDone, ResponseFailed
from twisted.web.http import PotentialDataLoss
from twisted.web.iweb import UNKNOWN_LENGTH

from txregistry.flow.collected import BodyCollector, BodyCut
from txregistry.flow.streams import TooLong

LIMIT = 10


class Response:
    """Delivers what a test says."""

    def __init__(self, length: Any) -> None:
        self.length = length
        self.transport = StringTransport()

    def deliverBody(self, protocol: BodyCollector) -> None:
        self.protocol = protocol
        protocol.makeConnection(self.transport)


class BodyCollectorTests(SynchronousTestCase):
    """A body of up to ten bytes."""

    def collect(self, length: Any = UNKNOWN_LENGTH) -> Deferred[bytes]:
        self.counts: list[int] = []
        self.response = Response(length)
        self.collector = BodyCollector(LIMIT, self.counts.append)
        return self.collector.collect(self.response)

    def give(self, data: bytes) -> None:
        self.collector.dataReceived(data)

    def end(self, error: Exception | None = None) -> None:
        self.collector.connectionLost(Failure(error or ResponseDone()))

    def assertEnded(self, closed: bool) -> None:
        """The collector holds nothing, and takes nothing more."""
        self.assertEqual(self.response.transport.disconnecting, closed)
        self.give(b"more")
        self.end()
        self.collector.fail(ValueError("too late"))
        self.assertEqual((self.collector._pieces, self.collector._done), ([], None))

    def test_whole(self) -> None:
        """As many bytes as there may be, and how many came is told."""
        done = self.collect(LIMIT)
        self.give(b"1234")
        self.give(b"567890")
        self.assertNoResult(done)
        self.end()
        self.assertEqual(self.successResultOf(done), b"1234567890")
        self.assertEqual(self.counts, [4, 6])
        self.assertEnded(closed=False)

    def test_empty(self) -> None:
        """No byte at all is a body."""
        done = self.collect(0)
        self.end()
        self.assertEqual(self.successResultOf(done), b"")

    def test_too_long(self) -> None:
        """A byte more fails at once, and nothing more is read."""
        done = self.collect()
        self.give(b"x" * (LIMIT + 1))
        self.failureResultOf(done, TooLong)
        self.assertEnded(closed=True)

    def test_cut(self) -> None:
        """Half a body is none; how it ended is kept."""
        done = self.collect(LIMIT)
        self.give(b"1")
        end = ResponseFailed([])
        self.end(end)
        error = self.failureResultOf(done, BodyCut).value
        self.assertIs(error.__cause__, end)
        self.assertEnded(closed=False)

    def test_until_the_connection_ends(self) -> None:
        """It is whole unless another length was announced."""
        for length, whole in ((UNKNOWN_LENGTH, True), (4, True), (5, False)):
            done = self.collect(length)
            self.give(b"1234")
            self.end(PotentialDataLoss())
            if whole:
                self.assertEqual(self.successResultOf(done), b"1234")
            else:
                self.failureResultOf(done, BodyCut)

    def test_cancelled(self) -> None:
        """Who does not want it any more closes the connection."""
        done = self.collect()
        self.give(b"1")
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.assertEnded(closed=True)

    def test_failed(self) -> None:
        """So does who has waited too long, and says why."""
        done = self.collect()
        self.collector.fail(ValueError("late"))
        self.failureResultOf(done, ValueError)
        self.assertEnded(closed=True)
