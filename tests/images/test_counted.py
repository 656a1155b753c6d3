"""A consumer that tells how far it has come."""

from __future__ import annotations

from twisted.internet.defer import succeed
from twisted.internet.interfaces import IConsumer
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.flow.streams import BoundedConsumer, ChunkProducer
from txregistry.images.counted import CountedConsumer


class CountedTests(SynchronousTestCase):
    """Bytes go on, and are counted in all."""

    def test_counted(self) -> None:
        """The producer is that of the consumer."""
        told: list[int] = []
        inner = BoundedConsumer(100)
        consumer = CountedConsumer(inner, told.append)
        verifyObject(IConsumer, consumer)
        pieces = iter((b"abc", b"de"))
        source = ChunkProducer(
            lambda offset, size: succeed(next(pieces)), consumer, 0, 5
        )
        self.successResultOf(source.start())
        self.assertEqual((inner.content, told), (b"abcde", [3, 5]))
