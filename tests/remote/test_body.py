"""Bodies of responses, to their ends."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseDone, ResponseFailed
from twisted.web.http import PotentialDataLoss
from twisted.web.iweb import UNKNOWN_LENGTH
from zope.interface.verify import verifyObject

from tests.remote.answering import Answer
from txregistry.flow.streams import ConsumerStopped
from txregistry.interfaces.fills import IBoundedProducer
from txregistry.remote.body import (
    COLLECT_SECONDS,
    MAX_LENGTH,
    UpstreamBodyBroken,
    announced_length,
    collect,
    deliver,
    header,
    header_lines,
    length_of,
    retry_after,
)
from txregistry.spec.errors import UpstreamFailed, UpstreamTimeout

IDLE = 30.0


class Response(Answer):
    """A response whose connection is paused and resumed."""

    def __init__(self, length: Any = 10, **said: str) -> None:
        super().__init__(length=length)
        self.said = {name.replace("_", "-"): value for name, value in said.items()}
        self.paused = False

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused = False

    def give(self, data: bytes) -> None:
        self.reader.dataReceived(data)

    def lose(self, error: Exception) -> None:
        self.reader.connectionLost(Failure(error))


class BodyCase(SynchronousTestCase):
    """A response that is read on a clock."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.response = Response()
        self.consumer = StringTransport()

    def tearDown(self) -> None:
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def deliver(self, length: Any = 10) -> Deferred[None]:
        self.response = Response(length)
        return deliver(self.response, self.consumer, self.clock, IDLE, "h")


class DeliverTests(BodyCase):
    """A body that is pushed to a consumer."""

    def test_whole(self) -> None:
        """Its bytes are pushed, and it fires at the end; the consumer is free again."""
        done = self.deliver()
        self.response.give(b"12345")
        self.response.give(b"67890")
        self.assertNoResult(done)
        self.response.end()
        self.assertIsNone(self.successResultOf(done))
        self.assertEqual(self.consumer.value(), b"1234567890")
        self.assertIsNone(self.consumer.producer)

    def test_broken(self) -> None:
        """One that ends early fails, whatever was read."""
        done = self.deliver()
        self.response.give(b"12345")
        self.response.lose(ResponseFailed([]))
        failure = self.failureResultOf(done, UpstreamBodyBroken)
        self.assertEqual(failure.value.detail["upstream"], "h")
        self.assertIsNone(self.consumer.producer)

    def test_closed_connection(self) -> None:
        """Where closing is the end, a length that was announced has to agree."""
        for length, whole in ((UNKNOWN_LENGTH, True), (5, True), (10, False)):
            done = self.deliver(length)
            self.response.give(b"12345")
            self.response.lose(PotentialDataLoss())
            if whole:
                self.successResultOf(done)
            else:
                self.failureResultOf(done, UpstreamBodyBroken)

    def test_stalled(self) -> None:
        """Without a byte for so long it fails and the connection is closed."""
        done = self.deliver()
        for _ in range(3):
            self.clock.advance(IDLE - 1)
            self.response.give(b"x")
        self.clock.advance(IDLE)
        self.failureResultOf(done, UpstreamTimeout)
        self.assertTrue(self.response.closed)

    def test_paused(self) -> None:
        """While the consumer pauses it, the connection is paused and no time runs."""
        done = self.deliver()
        producer = self.consumer.producer
        producer.pauseProducing()
        self.assertTrue(self.response.paused)
        self.clock.advance(10 * IDLE)
        self.assertNoResult(done)
        producer.resumeProducing()
        self.assertFalse(self.response.paused)
        self.response.end()
        self.successResultOf(done)

    def test_smaller_pieces(self) -> None:
        """A consumer may have the connection read less at once."""
        done = self.deliver()
        producer = self.consumer.producer
        self.assertTrue(verifyObject(IBoundedProducer, producer))
        producer.read_at_most(4096)
        self.assertEqual(self.response.bufferSize, 4096)
        self.response.end()
        self.successResultOf(done)

    def test_consumer_that_stops(self) -> None:
        """It is told so, and the connection is closed."""
        done = self.deliver()
        self.consumer.producer.stopProducing()
        self.failureResultOf(done, ConsumerStopped)
        self.assertTrue(self.response.closed)
        self.response.give(b"late")
        self.response.lose(ResponseDone())
        self.assertEqual(self.consumer.value(), b"")

    def test_cancelled(self) -> None:
        """Whoever needs it no longer closes the connection."""
        done = self.deliver()
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.assertTrue(self.response.closed)
        self.assertIsNone(self.consumer.producer)


class CollectTests(BodyCase):
    """A small body."""

    def collect(self, limit: int = 10) -> Deferred[bytes]:
        return collect(self.response, limit, self.clock, IDLE, "h")

    def test_whole(self) -> None:
        """As many bytes as there may be are read."""
        done = self.collect()
        self.response.give(b"1234567890")
        self.response.end()
        self.assertEqual(self.successResultOf(done), b"1234567890")

    def test_long(self) -> None:
        """One byte more fails at once, and the connection is closed."""
        done = self.collect()
        self.response.give(b"1234567890")
        self.response.give(b"1")
        failure = self.failureResultOf(done, UpstreamFailed)
        self.assertIn("too long", failure.value.detail["reason"])
        self.assertTrue(self.response.closed)

    def test_slow(self) -> None:
        """One that drips does not take for ever."""
        done = self.collect(10**6)
        while self.clock.seconds() < COLLECT_SECONDS - IDLE / 2:
            self.response.give(b"x")
            self.clock.advance(IDLE / 2)
        self.assertNoResult(done)
        self.clock.advance(IDLE / 2)
        self.failureResultOf(done, UpstreamTimeout)
        self.assertTrue(self.response.closed)


class HeaderTests(BodyCase):
    """What is said before a body."""

    def test_lengths(self) -> None:
        """A length that is unknown, or is none, is none."""
        for length, expected in (
            (0, 0),
            (MAX_LENGTH, MAX_LENGTH),
            (MAX_LENGTH + 1, None),
            (UNKNOWN_LENGTH, None),
        ):
            self.assertEqual(length_of(Response(length)), expected)
        for text, found in (("5", 5), ("+5", None), ("5x", None), ("9" * 19, None)):
            self.assertEqual(announced_length(Response(Content_Length=text)), found)
        self.assertIsNone(announced_length(Response()))

    def test_text(self) -> None:
        """Headers are text, in any case."""
        response = Response(ETag="\xe9")
        self.assertEqual(header_lines(response, "etag"), ["\xc3\xa9"])
        self.assertIsNone(header(response, "Link"))

    def test_waits(self) -> None:
        """A date counts from that of the response, if it has one."""
        later = "Wed, 21 Oct 2015 07:28:10 GMT"
        date = "Wed, 21 Oct 2015 07:28:00 GMT"
        response = Response(Retry_After=later, Date=date)
        self.assertEqual(retry_after(response, 0.0), 10.0)
        self.assertEqual(retry_after(Response(Retry_After="7"), 0.0), 7.0)
        self.assertIsNone(retry_after(Response(), 0.0))
