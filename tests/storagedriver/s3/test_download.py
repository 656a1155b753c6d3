"""Objects on their way to a consumer."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IConsumer
from zope.interface import implementer

from tests.storagedriver.s3.case import CONTENT, ContentCase
from txregistry.flow.streams import BoundedConsumer, ConsumerStopped
from txregistry.interfaces.driver import DriverError


@implementer(IConsumer)
class Slow:
    """Takes a little, and is full."""

    def __init__(self) -> None:
        self.content, self.producer, self.full = b"", None, True

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        assert streaming
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None

    def write(self, data: bytes) -> None:
        self.content += data
        if self.full and self.producer is not None:
            self.producer.pauseProducing()


class DownloadTests(ContentCase):
    """Pauses, ends, and bodies that break off."""

    def test_pauses(self) -> None:
        """A consumer that is full stops the reading of the socket until it says so."""
        consumer, reader = Slow(), self.open()
        done = reader.read(consumer)
        self.place.pump()
        read = len(consumer.content)
        # Twisted reads once more after a body has begun.
        self.assertTrue(0 < read < len(CONTENT), read)
        self.clock.advance(3600)  # the store may wait, as the client does
        self.place.pump()
        self.assertEqual(len(consumer.content), read)
        self.assertNoResult(done)
        consumer.full = False
        consumer.producer.resumeProducing()
        self.place.pump()
        self.ok(done)
        self.assertTrue(consumer.content == CONTENT)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stops(self) -> None:
        """A consumer that has gone ends it, and the connection."""
        self.store.hold = 100_000
        consumer, reader = Slow(), self.open()
        done = reader.read(consumer)
        self.place.pump()
        consumer.producer.stopProducing()
        self.failureResultOf(done, ConsumerStopped)
        self.assertEqual(self.place.wire.open_connections, 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cancelling(self) -> None:
        """So does whoever cancels."""
        self.store.hold = 100_000
        done = self.open().read(Slow())
        self.place.pump()
        done.cancel()
        self.failureResultOf(done)
        self.place.pump()
        self.assertEqual(self.place.wire.open_connections, 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_broken_body(self) -> None:
        """A body that breaks off is gone on with where it did."""
        self.store.cut = 100_000
        consumer = BoundedConsumer(1 << 22)
        self.later(self.open().read(consumer))
        self.assertTrue(consumer.content == CONTENT)
        self.assertEqual(self.store.asked, ["GET /a", "GET /a"])
        self.assertTrue(self.store.headers[1]["range"].endswith(f"-{len(CONTENT) - 1}"))

    def test_another_range(self) -> None:
        """Nor is it gone on with at another place."""
        self.store.cut, self.store.shift = 100_000, 1
        consumer = BoundedConsumer(1 << 22)
        error = self.fails(self.open().read(consumer), DriverError)
        self.assertEqual(error.reason, "the store sends no ranges")
        self.assertTrue(CONTENT.startswith(consumer.content))

    def test_replaced(self) -> None:
        """Never is it gone on with in another object."""
        self.store.cut = 100_000
        reader = self.open()
        self.store.objects["a"] = b"!" * len(CONTENT)
        consumer = BoundedConsumer(1 << 22)
        error = self.fails(reader.read(consumer), DriverError)
        self.assertEqual(error.reason, "the object was replaced")
        self.assertTrue(CONTENT.startswith(consumer.content))

    def test_deleted(self) -> None:
        """An object that goes while it is read is no answer of its absence."""
        self.store.cut = 100_000
        reader = self.open()
        self.store.objects.clear()
        error = self.fails(reader.read(BoundedConsumer(1 << 22)), DriverError)
        self.assertEqual(error.reason, "the object was deleted")

    def test_silence(self) -> None:
        """A body that stops coming is asked for again where it stopped."""
        self.store.hold = 100_000
        consumer = BoundedConsumer(1 << 22)
        done = self.open().read(consumer)
        self.place.pump()
        self.clock.advance(61)
        self.store.hold = None
        self.later(done)
        self.assertTrue(consumer.content == CONTENT)
        self.assertEqual(len(self.store.asked), 2)
