"""Producers and consumers with bounds."""

from __future__ import annotations

import os

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.interfaces import IConsumer, IPushProducer
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from txregistry.flow.streams import (
    CHUNK_BYTES,
    SMALL_CHUNK_BYTES,
    BoundedConsumer,
    ChunkProducer,
    ConsumerStopped,
    HeldBytes,
    ShortRead,
    TooLong,
    Watchdog,
)


@implementer(IConsumer)
class Pausing:
    """A consumer that pauses its producer after each write."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.producer = None

    def registerProducer(self, producer, streaming) -> None:
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None

    def write(self, data: bytes) -> None:
        self.chunks.append(data)
        if self.producer is not None:
            self.producer.pauseProducing()


class Quiet(Pausing):
    """A consumer that takes anything."""

    def write(self, data: bytes) -> None:
        self.chunks.append(data)


class Going(Pausing):
    """A consumer that finds itself full, and then that its peer has gone."""

    def write(self, data: bytes) -> None:
        super().write(data)
        self.producer.stopProducing()


class Gone(Pausing):
    """A consumer whose peer has gone already."""

    def registerProducer(self, producer, streaming) -> None:
        super().registerProducer(producer, streaming)
        producer.stopProducing()


class ProducerTests(SynchronousTestCase):
    """Chunks of a source on their way into a consumer."""

    content = os.urandom(600_000)

    def source(self, offset: int, size: int) -> Deferred[bytes]:
        return succeed(self.content[offset : offset + size])

    def test_paused_producer_fetches_nothing(self) -> None:
        """One chunk per resume reaches a consumer that pauses."""
        consumer = Pausing()
        done = ChunkProducer(self.source, consumer, 0, 600_000).start()
        self.assertEqual(len(consumer.chunks), 1)
        while consumer.producer is not None:
            consumer.producer.resumeProducing()
        self.successResultOf(done)
        self.assertEqual(b"".join(consumer.chunks), self.content)

    def test_consumers_that_hold_much(self) -> None:
        """The more is held by consumers that are full, the less others get."""
        held, consumers = HeldBytes(64 * 64 * 1024), [Pausing() for _ in range(3)]
        reads = [
            ChunkProducer(self.source, consumer, 0, 600_000, held).start()
            for consumer in consumers
        ]
        sizes = [len(consumer.chunks[0]) for consumer in consumers]
        self.assertEqual(sizes, [65_536, 64_512, 63_504])
        self.assertEqual(held.held, sum(sizes))
        for read in reads[:2]:
            read.cancel()
            self.failureResultOf(read, CancelledError)
        self.assertEqual(held.held, sizes[2])
        while consumers[2].producer is not None:
            consumers[2].producer.resumeProducing()
        self.assertEqual(b"".join(consumers[2].chunks), self.content)
        self.assertEqual(held.held, 0)

    def test_consumer_that_stops(self) -> None:
        """The read ends with ConsumerStopped, and nothing is registered."""
        consumer = Pausing()
        done = ChunkProducer(self.source, consumer, 0, 600_000).start()
        consumer.producer.stopProducing()
        self.failureResultOf(done, ConsumerStopped)
        self.assertIsNone(consumer.producer)

    def test_cancel(self) -> None:
        """A cancelled read lets the consumer go and cancels the fetch."""
        fetch: Deferred[bytes] = Deferred()
        consumer = Pausing()
        done = ChunkProducer(lambda *_: fetch, consumer, 0, 10).start()
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.assertIsNone(consumer.producer)
        self.assertTrue(fetch.called)

    def test_source_that_fails(self) -> None:
        """The read fails as the source does."""
        consumer = BoundedConsumer(10)
        done = ChunkProducer(lambda *_: fail(OSError()), consumer, 0, 10).start()
        self.failureResultOf(done, OSError)

    def test_source_that_ends_early(self) -> None:
        """Fewer bytes than promised are ShortRead."""
        done = ChunkProducer(self.source, BoundedConsumer(10), 599_995, 10).start()
        self.failureResultOf(done, ShortRead)

    def test_provides_the_interface(self) -> None:
        """It is a push producer."""
        verifyObject(IPushProducer, ChunkProducer(self.source, Pausing(), 0, 1))

    def test_pieces(self) -> None:
        """It asks for a chunk at a time, and for no more than is wanted."""
        asked: list[tuple[int, int]] = []

        def source(offset: int, size: int) -> Deferred[bytes]:
            asked.append((offset, size))
            return self.source(offset, size)

        consumer = BoundedConsumer(600_000)
        size = CHUNK_BYTES + 5
        producer = ChunkProducer(source, consumer, 7, size, HeldBytes())
        self.successResultOf(producer.start())
        self.assertEqual(asked, [(7, CHUNK_BYTES), (7 + CHUNK_BYTES, 5)])
        self.assertEqual(consumer.content, self.content[7 : 7 + size])

    def test_nothing(self) -> None:
        """No bytes are there at once, and nobody is registered."""
        consumer = Pausing()
        self.successResultOf(ChunkProducer(self.source, consumer, 0, 0).start())
        self.successResultOf(ChunkProducer(self.source, consumer, 9, -1).start())
        self.assertEqual((consumer.chunks, consumer.producer), ([], None))

    def test_small_pieces(self) -> None:
        """A source that gives less than was asked for is asked again, without end."""
        calls = []

        def source(offset: int, size: int) -> Deferred[bytes]:
            calls.append(size)
            return succeed(self.content[offset : offset + 1])

        consumer = BoundedConsumer(5000)
        self.successResultOf(ChunkProducer(source, consumer, 0, 5000).start())
        self.assertEqual(consumer.content, self.content[:5000])
        self.assertEqual((len(calls), calls[-1]), (5000, 1))

    def test_pause_while_a_chunk_is_fetched(self) -> None:
        """The chunk is written when it comes, and none is fetched after it."""
        fetches: list[Deferred[bytes]] = []

        def source(offset: int, size: int) -> Deferred[bytes]:
            fetches.append(Deferred())
            return fetches[-1]

        consumer, held = Quiet(), HeldBytes()
        done = ChunkProducer(source, consumer, 0, 30, held).start()
        consumer.producer.pauseProducing()
        fetches[0].callback(b"x" * 10)
        self.assertEqual((consumer.chunks, len(fetches)), ([b"x" * 10], 1))
        self.assertEqual(held.held, 10)
        consumer.producer.resumeProducing()
        consumer.producer.resumeProducing()
        self.assertEqual((len(fetches), held.held), (2, 0))
        fetches[1].callback(b"x" * 20)
        self.successResultOf(done)

    def test_one_after_the_other(self) -> None:
        """The next chunk is fetched when one has come."""
        fetches: list[Deferred[bytes]] = []

        def source(offset: int, size: int) -> Deferred[bytes]:
            fetches.append(Deferred())
            return fetches[-1]

        consumer = Quiet()
        done = ChunkProducer(source, consumer, 0, 30).start()
        fetches[0].callback(b"x" * 10)
        self.assertEqual(len(fetches), 2)
        fetches[1].callback(b"x" * 20)
        self.successResultOf(done)

    def test_chunk_that_comes_too_late(self) -> None:
        """A source that answers though it was cancelled answers nobody."""
        consumer = Quiet()
        fetch: Deferred[bytes] = Deferred(lambda late: late.callback(b"late"))
        done = ChunkProducer(lambda *_: fetch, consumer, 0, 10).start()
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.assertEqual(consumer.chunks, [])

    def test_consumer_that_is_full_and_goes(self) -> None:
        """What it held is counted no more, though it goes while it is written to."""
        held = HeldBytes()
        consumer = Going()
        done = ChunkProducer(self.source, consumer, 0, 600_000, held).start()
        self.failureResultOf(done, ConsumerStopped)
        self.assertEqual((held.held, consumer.producer), (0, None))

    def test_consumer_that_goes_at_once(self) -> None:
        """One that stops when it is told of the read gets nothing."""
        consumer = Gone()
        done = ChunkProducer(self.source, consumer, 0, 10).start()
        self.failureResultOf(done, ConsumerStopped)
        self.assertEqual((consumer.chunks, consumer.producer), ([], None))

    def test_after_the_end(self) -> None:
        """Whatever is said to it then is nothing."""
        consumer, held = Quiet(), HeldBytes()
        producer = ChunkProducer(self.source, consumer, 0, 10, held)
        self.successResultOf(producer.start())
        producer.pauseProducing()
        producer.resumeProducing()
        producer.stopProducing()
        self.assertEqual(len(consumer.chunks), 1)
        self.assertEqual(held.held, 0)


class BoundedTests(SynchronousTestCase):
    """Small bodies in memory."""

    def test_provides_the_interface(self) -> None:
        """It is a consumer."""
        verifyObject(IConsumer, BoundedConsumer(1))

    def test_fits(self) -> None:
        """What comes to the bound is kept, in order."""
        consumer = BoundedConsumer(4)
        for data in (b"ab", b"", b"cd"):
            consumer.write(data)
        self.assertEqual((consumer.content, consumer.overflowed), (b"abcd", False))

    def test_too_long(self) -> None:
        """One byte more stops the producer, and all is forgotten."""
        consumer = BoundedConsumer(4)
        done = ChunkProducer(lambda *_: succeed(b"abc"), consumer, 0, 9).start()
        self.failureResultOf(done, ConsumerStopped)
        self.assertTrue(consumer.overflowed)
        self.assertRaises(TooLong, lambda: consumer.content)
        self.assertEqual(consumer._chunks, [])

    def test_without_a_producer(self) -> None:
        """Who writes by himself is not stopped, nor is who has ended."""
        consumer = BoundedConsumer(4)
        done = ChunkProducer(lambda *_: succeed(b"abc"), consumer, 0, 3)
        self.successResultOf(done.start())
        self.patch(ChunkProducer, "stopProducing", lambda _: self.fail("stopped"))
        consumer.write(b"de")
        self.assertRaises(TooLong, lambda: consumer.content)


class HeldTests(SynchronousTestCase):
    """How much is read at once."""

    def test_chunks(self) -> None:
        """Less and less, and always something."""
        held = HeldBytes(100 * CHUNK_BYTES)
        for size, chunk in (
            (0, CHUNK_BYTES),
            (36 * CHUNK_BYTES, CHUNK_BYTES),
            (68 * CHUNK_BYTES, CHUNK_BYTES // 2),
            (100 * CHUNK_BYTES, SMALL_CHUNK_BYTES),
            (200 * CHUNK_BYTES, SMALL_CHUNK_BYTES),
        ):
            held.held = size
            self.assertEqual(held.chunk_bytes, chunk)


class WatchdogTests(SynchronousTestCase):
    """Silence that is noticed."""

    def test_idle_timer(self) -> None:
        """It expires only when nothing happens."""
        clock, expired = Clock(), []
        timer = Watchdog(clock, 10, lambda: expired.append(clock.seconds()))
        timer.arm()
        clock.advance(9)
        timer.arm()
        clock.advance(9)
        timer.disarm()
        clock.advance(100)
        timer.arm()
        clock.advance(10)
        self.assertEqual(expired, [128.0])
        self.assertEqual(clock.getDelayedCalls(), [])

    def test_other_times(self) -> None:
        """Once it may wait for longer, or for less; it says whether it waits."""
        clock, expired = Clock(), []
        timer = Watchdog(clock, 10, lambda: expired.append(clock.seconds()))
        self.assertFalse(timer.is_armed)
        timer.arm(30.0)
        clock.advance(29)
        self.assertTrue(timer.is_armed)
        timer.arm(0.0)
        clock.advance(0)
        self.assertFalse(timer.is_armed)
        timer.arm()
        clock.advance(10)
        self.assertEqual(expired, [29.0, 39.0])

    def test_disarming(self) -> None:
        """It may be disarmed at any time, and leaves no timer."""
        clock, expired = Clock(), []
        timer = Watchdog(clock, 10, lambda: expired.append(timer.disarm()))
        timer.disarm()
        timer.arm()
        clock.advance(10)
        timer.disarm()
        self.assertEqual((expired, clock.getDelayedCalls()), ([None], []))
