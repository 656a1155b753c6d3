"""Responses of a store."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.protocol import connectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseDone, ResponseFailed
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH

from txregistry.flow.streams import Watchdog
from txregistry.storagedriver.s3.request import StoreUnreachable
from txregistry.storagedriver.s3.responses import (
    collected,
    drop,
    headers_of,
    known_length,
    was_cancelled,
    why,
)


class Response:
    """A response whose body a test sends."""

    length: Any = 3

    def __init__(self) -> None:
        self.headers = Headers({"ETag": ["old", "new"], "X-A": ["b"]})
        self.stopped = False

    def deliverBody(self, protocol: Any) -> None:
        self.protocol = protocol
        protocol.makeConnection(self)

    def stopProducing(self) -> None:
        self.stopped = True

    def loseConnection(self) -> None:
        self.stopped = True

    abortConnection = loseConnection


class HeadTests(SynchronousTestCase):
    """What a head says."""

    def setUp(self) -> None:
        self.response: Any = Response()

    def test_headers(self) -> None:
        """By names in lower case; of several the last."""
        self.assertEqual(headers_of(self.response), {"etag": "new", "x-a": "b"})

    def test_length(self) -> None:
        """Without one the object cannot be read, and its connection ends."""
        self.assertEqual(known_length(self.response), 3)
        self.assertFalse(self.response.stopped)
        self.response.length = UNKNOWN_LENGTH
        self.assertRaises(StoreUnreachable, known_length, self.response)
        self.assertTrue(self.response.stopped)

    def test_drop(self) -> None:
        """A body that nobody wants is not read."""
        drop(self.response)
        self.assertTrue(self.response.stopped)


class BodyTests(SynchronousTestCase):
    """Bodies that are read whole."""

    def setUp(self) -> None:
        self.response: Any = Response()
        watchdog = Watchdog(Clock(), 60.0, lambda: self.fail("stalled"))
        self.done = collected(self.response, watchdog, 5)

    def end(self, reason: Exception | Failure) -> None:
        self.response.protocol.connectionLost(
            reason if isinstance(reason, Failure) else Failure(reason)
        )

    def test_whole(self) -> None:
        """All its pieces."""
        for piece in (b"ab", b"c"):
            self.response.protocol.dataReceived(piece)
        self.end(ResponseDone())
        self.assertEqual(self.successResultOf(self.done), b"abc")

    def test_broken(self) -> None:
        """One that breaks off says why."""
        self.response.protocol.dataReceived(b"ab")
        self.end(ResponseFailed([connectionDone]))
        error = self.failureResultOf(self.done, StoreUnreachable).value
        self.assertIn("broke off: Connection was closed cleanly", str(error))

    def test_long(self) -> None:
        """No more is kept than may be."""
        self.response.protocol.dataReceived(b"x" * 6)
        self.end(ResponseFailed([connectionDone]))
        error = self.failureResultOf(self.done, StoreUnreachable).value
        self.assertIn("too long", str(error))
        self.assertTrue(self.response.stopped)


class ReasonTests(SynchronousTestCase):
    """Errors of an agent, which wrap others."""

    def test_why(self) -> None:
        """The last of the innermost, or what kind of error it is."""
        inner = ResponseFailed([Failure(OSError("first")), Failure(OSError("last"))])
        for error, told in (
            (OSError("plain"), "plain"),
            (inner, "last"),
            (ResponseFailed([Failure(inner)]), "last"),
            (ValueError(), "ValueError"),
        ):
            self.assertEqual(why(error), told)

    def test_cancelled(self) -> None:
        """However deep it lies."""
        cancelled = ResponseFailed([Failure(CancelledError())])
        for error, expected in (
            (CancelledError(), True),
            (cancelled, True),
            (ResponseFailed([Failure(Refused()), Failure(cancelled)]), True),
            (ResponseFailed([Failure(Refused())]), False),
            (Refused(), False),
        ):
            self.assertIs(was_cancelled(error), expected, error)
