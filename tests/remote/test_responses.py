"""Responses whose body nobody wants, or whose end somebody does."""

from __future__ import annotations

from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseDone, ResponseFailed

from tests.remote.answering import Answer
from txregistry.remote.responses import WatchedResponse, drain


class Reader(Protocol):
    """Notes what it is given."""

    def __init__(self, told: list[str]) -> None:
        self.told, self.data = told, b""
        self.reason: Failure | None = None

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason: Failure) -> None:
        self.reason = reason
        self.told.append("reader")


class DrainTests(SynchronousTestCase):
    """A response that is only looked at."""

    def test_body(self) -> None:
        """Its body is discarded; whoever reads it gets an empty one, at once."""
        answer, clock = Answer(404, {"X": "y"}, length=5), Clock()
        found = drain(answer, clock)
        self.assertEqual((found.code, found.headers), (404, answer.headers))
        reader = Reader([])
        found.deliverBody(reader)
        self.assertEqual(reader.data, b"")
        self.assertTrue(reader.reason.check(ResponseDone))
        self.assertIsNot(answer.reader, reader)
        answer.end()
        self.assertEqual(clock.getDelayedCalls(), [])
        self.assertFalse(answer.closed)

    def test_endless_body(self) -> None:
        """A body that does not end costs a connection, and is not waited for long."""
        answer, clock = Answer(404, length=5), Clock()
        drain(answer, clock)
        clock.advance(600)
        self.assertTrue(answer.closed)


class WatchedTests(SynchronousTestCase):
    """A response whose end is told."""

    def setUp(self) -> None:
        self.told: list[str] = []
        self.answer = Answer(length=5)
        self.reader = Reader(self.told)
        watched = WatchedResponse(self.answer, lambda: self.told.append("watcher"))
        watched.deliverBody(self.reader)

    def test_end(self) -> None:
        """The end is told once, before the reader hears of it, who gets everything."""
        self.assertIs(self.reader.transport, self.answer)
        self.answer.reader.dataReceived(b"12345")
        self.assertEqual((self.told, self.reader.data), ([], b"12345"))
        self.answer.end()
        self.assertEqual(self.told, ["watcher", "reader"])
        self.assertTrue(self.reader.reason.check(ResponseDone))

    def test_broken(self) -> None:
        """So is an end in the middle."""
        self.answer.reader.connectionLost(Failure(ResponseFailed([])))
        self.assertEqual(self.told, ["watcher", "reader"])
        self.assertTrue(self.reader.reason.check(ResponseFailed))
