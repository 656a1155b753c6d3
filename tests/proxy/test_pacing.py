"""A body that is held back by its consumer, by a rate, or by both."""

from __future__ import annotations

import os

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer, IPushProducer
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tests.flow.test_producer_relay import Reading
from txregistry.flow.shared_rate import MAX_PIECE_BYTES, MIN_PIECE_BYTES, SharedRate
from txregistry.interfaces.fills import IBoundedProducer
from txregistry.proxy.pacing import PacedBody, PacedConsumer, read_paced
from txregistry.testing.answers import Got
from txregistry.testing.house import TestHouse


class PacedBodyTests(SynchronousTestCase):
    """It produces while nobody holds it back."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.held: list[bool] = []
        self.body = PacedBody(SharedRate(self.clock, 100.0), self.held.append)
        self.producer = Reading()
        self.consumed = self.body.around(self.producer)

    def exceed(self) -> None:
        """Receive more than may be; the rate lets it go on in a second."""
        self.body.received(115)
        self.body.received(10)

    def test_contract(self) -> None:
        """It is what a consumer expects."""
        self.assertTrue(verifyObject(IPushProducer, self.consumed))

    def test_consumer(self) -> None:
        """Without a rate that is used up it passes on what the consumer says."""
        self.consumed.pauseProducing()
        self.consumed.resumeProducing()
        self.consumed.stopProducing()
        self.assertEqual(self.producer.told, ["pause", "resume", "stop"])

    def test_rate(self) -> None:
        """It pauses while it is held, and tells so."""
        self.exceed()
        self.assertEqual((self.producer.told, self.held), (["pause"], [True]))
        self.clock.advance(1.0)
        self.assertEqual(self.producer.told, ["pause", "resume"])
        self.assertEqual(self.held, [True, False])

    def test_both(self) -> None:
        """Whoever ends last lets it go on."""
        for is_consumer_first in (True, False):
            self.setUp()
            if is_consumer_first:
                self.consumed.pauseProducing()
            self.exceed()
            if not is_consumer_first:
                self.consumed.pauseProducing()
                self.consumed.resumeProducing()
                self.assertEqual(self.producer.told, ["pause"])
                self.consumed.pauseProducing()
            self.clock.advance(1.0)
            self.assertEqual(self.producer.told, ["pause"])
            self.consumed.resumeProducing()
            self.assertEqual(self.producer.told, ["pause", "resume"])

    def test_pieces(self) -> None:
        """Where the rate is low they are small, and it is told once."""
        told: list[int] = []

        @implementer(IBoundedProducer)
        class Bounded(Reading):
            def read_at_most(self, size: int) -> None:
                told.append(size)

        rate = SharedRate(self.clock, 200_000.0)
        body = PacedBody(rate, self.held.append)
        body.around(Bounded())
        body.received(1)
        self.assertEqual(told, [10_000])
        for other in (100.0, 0.0):
            rate.follow(other)
            body.received(1)
        self.assertEqual(told, [10_000, MIN_PIECE_BYTES, MAX_PIECE_BYTES])
        unlimited = PacedBody(SharedRate(self.clock), self.held.append)
        unlimited.around(Bounded())
        self.assertEqual(len(told), 3)

    def test_end(self) -> None:
        """The end of a body that is held leaves nothing."""
        self.exceed()
        self.body.close()
        self.assertEqual(self.held, [True, False])
        self.assertEqual(self.clock.getDelayedCalls(), [])


class PacedConsumerTests(SynchronousTestCase):
    """What a client reads of an upstream, at a rate."""

    def test_read(self) -> None:
        """Its consumer sees all, and both hold the producer back."""
        clock, consumer, producer = Clock(), StringTransport(), Reading()

        class Reader:
            def read(self, consumer: IConsumer, offset: int, size: int) -> object:
                consumer.registerProducer(producer, True)
                for _ in range(2):
                    consumer.write(b"x" * 60)
                self.ends: Deferred[None] = Deferred()
                return self.ends.addBoth(lambda _: consumer.unregisterProducer())

        reader = Reader()
        done = read_paced(reader, SharedRate(clock, 100.0), consumer, 0, None)
        self.assertEqual(consumer.value(), b"x" * 120)
        self.assertEqual(producer.told, ["pause"])
        clock.advance(1.0)
        self.assertEqual(producer.told, ["pause", "resume"])
        self.assertTrue(verifyObject(IConsumer, PacedConsumer(consumer, None)))
        reader.ends.callback(None)
        self.successResultOf(done)
        self.assertIsNone(consumer.producer)
        self.assertEqual(clock.getDelayedCalls(), [])


class CacheTests(SynchronousTestCase):
    """Downloads of a cache with ``proxy.maxrate``."""

    def setUp(self) -> None:
        self.house = TestHouse()

    def limit(self, rate: float, stall: float = 90.0) -> None:
        self.house.fills.limit(stall, 32, rate)

    def blob(self, size: int, name: str = "lib/x") -> tuple[bytes, Deferred[Got]]:
        content = os.urandom(size)
        digest = self.house.upstream.add_blob(name, content)
        return content, self.house.ask("GET", f"/v2/{name}/blobs/{digest}")

    def seconds(self, *asked: tuple[bytes, Deferred[Got]]) -> list[float]:
        """Give how long each takes."""
        began, ends = self.house.clock.seconds(), list[float]()
        for content, done in asked:
            done.addCallback(
                lambda got, content=content: (
                    self.assertEqual(got.body, content),
                    ends.append(self.house.clock.seconds() - began),
                )
            )
        for _, done in asked:
            self.house.settle(done)
        return ends

    def assertNear(self, found: float, wanted: float) -> None:
        self.assertLess(abs(found - wanted), 0.15 * wanted, (found, wanted))

    def test_rate(self) -> None:
        """One download takes as long as its bytes at the rate."""
        self.limit(100_000)
        (took,) = self.seconds(self.blob(1_000_000))
        self.assertNear(took, 9.5)
        self.assertEqual(self.house.timers(), [])

    def test_shared(self) -> None:
        """Several share it, so that the shorter one is done earlier."""
        self.limit(500_000)
        asked = self.blob(1_500_000), self.blob(4_500_000, "lib/y")
        short, long = self.seconds(*asked)
        self.assertNear(short, 6)
        self.assertNear(long, 12)

    def test_no_stall(self) -> None:
        """A download that we hold back ourselves is not given up for it."""
        self.limit(5_000, stall=5.0)
        (took,) = self.seconds(self.blob(200_000))
        self.assertGreater(took, 25)
        self.assertEqual(self.house.upstream.count("GET", "/blobs/"), 1)

    def test_changed(self) -> None:
        """A reload changes the rate of current downloads."""
        self.limit(1_000)
        asked = self.blob(1_000_000)
        for _ in range(100):
            self.house.pump()
            self.house.clock.advance(0.05)
        self.limit(0)
        (took,) = self.seconds(asked)
        self.assertLess(took, 1)

    def test_manifests_pass(self) -> None:
        """Who waits for a tag waits for no blob."""
        self.limit(1_000)
        _, blob = self.blob(1_000_000)
        blob.addErrback(lambda _: None)
        for _ in range(20):
            self.house.pump()
            self.house.clock.advance(0.05)
        began = self.house.clock.seconds()
        self.house.upstream.add_manifest("lib/x", b'{"schemaVersion": 2}', "v1")
        self.assertEqual(self.house.get("/v2/lib/x/tags/list").status, 200)
        self.assertLess(self.house.clock.seconds() - began, 1)
        blob.cancel()
