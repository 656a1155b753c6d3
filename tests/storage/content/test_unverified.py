"""Large content, sent while it is verified."""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IConsumer
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.flow.deferred import deferred
from txregistry.interfaces.blobs import IBlobReader
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.storage.content.unverified import HELD_BACK_BYTES, UnverifiedBlob

CONTENT = bytes(range(256)) * 1024


class Damaged(Exception):
    """The digest did not match."""


class Blob:
    """A blob in memory."""

    descriptor = Descriptor(Digest.of(CONTENT), len(CONTENT))
    size = len(CONTENT)
    closed = 0
    stuck: Deferred[None] | None = None

    @deferred
    async def read(self, consumer: IConsumer, offset: int, size: int) -> None:
        if self.stuck is not None:
            await self.stuck
        consumer.write(CONTENT[offset : offset + size])

    def close(self) -> None:
        self.closed += 1


class UnverifiedTests(SynchronousTestCase):
    """A reader whose end waits for a digest."""

    def setUp(self) -> None:
        self.cancelled = 0
        self.blob = Blob()
        self.verdict: Deferred[None] = Deferred(self.count)
        self.reader = UnverifiedBlob(self.blob, lambda: self.verdict)
        self.consumer = StringTransport()

    def count(self, verdict: Deferred[None]) -> None:
        self.cancelled += 1

    def test_contract(self) -> None:
        """It says what the blob says, and closes it."""
        verifyObject(IBlobReader, self.reader)
        self.assertEqual(self.reader.descriptor, self.blob.descriptor)
        self.assertEqual(self.reader.size, len(CONTENT))
        self.reader.close()
        self.assertEqual(self.blob.closed, 1)

    def test_end_is_held_back(self) -> None:
        """All but the last 64 KiB is sent at once, the rest once the digest matches."""
        done = self.reader.read(self.consumer)
        self.assertEqual(self.consumer.value(), CONTENT[:-HELD_BACK_BYTES])
        self.assertNoResult(done)
        self.verdict.callback(None)
        self.successResultOf(done)
        self.assertEqual(self.consumer.value(), CONTENT)
        self.assertIsNone(self.consumer.producer)

    def test_damaged(self) -> None:
        """If it does not match, the end is never sent, and the reason is told."""
        done = self.reader.read(self.consumer)
        self.verdict.errback(Damaged())
        self.failureResultOf(done, Damaged)
        self.assertEqual(self.consumer.value(), CONTENT[:-HELD_BACK_BYTES])
        self.assertIsNone(self.consumer.producer)

    def test_ranges(self) -> None:
        """The end of a range is held back, and a short range is held back whole."""
        for offset, size, first in (
            (1000, None, len(CONTENT) - 1000 - HELD_BACK_BYTES),
            (1000, HELD_BACK_BYTES + 7, 7),
            (1000, 7, 0),
            (len(CONTENT), None, 0),
        ):
            self.verdict, consumer = Deferred(), StringTransport()
            done = self.reader.read(consumer, offset, size)
            self.assertEqual(len(consumer.value()), first, (offset, size))
            self.verdict.callback(None)
            self.successResultOf(done)
            end = len(CONTENT) if size is None else offset + size
            self.assertEqual(consumer.value(), CONTENT[offset:end])

    def test_leaving(self) -> None:
        """Whoever leaves needs no verdict: it is cancelled, and nothing is logged."""
        done = self.reader.read(self.consumer)
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.assertEqual(self.cancelled, 1)
        self.assertIsNone(self.consumer.producer)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_leaving_before_the_end(self) -> None:
        """So it is where the verdict is not yet waited for."""
        self.blob.stuck = Deferred()
        done = self.reader.read(self.consumer)
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.assertEqual(self.cancelled, 1)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_slow_consumer(self) -> None:
        """One that takes no more gets the end when it asks for it."""
        done = self.reader.read(self.consumer)
        producer = self.consumer.producer
        producer.pauseProducing()
        self.verdict.callback(None)
        self.assertNoResult(done)
        self.assertEqual(self.consumer.value(), CONTENT[:-HELD_BACK_BYTES])
        producer.resumeProducing()
        self.successResultOf(done)
        self.assertEqual(self.consumer.value(), CONTENT)
