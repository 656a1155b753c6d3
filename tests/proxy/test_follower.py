"""One client's way through a blob that is being filled."""

from __future__ import annotations

import os

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IConsumer
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.flow.test_streams import Pausing
from txregistry.flow.streams import BoundedConsumer, ConsumerStopped, ShortRead
from txregistry.interfaces.blobs import IBlobReader
from txregistry.proxy.follower import Follower
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import CacheFull, UpstreamFailed

CONTENT = os.urandom(100)
DIGEST = Digest.of(CONTENT)


class File:
    """A growing file; remembers which parts were read."""

    def __init__(self) -> None:
        self.reads: list[tuple[int, int]] = []

    def read(self, consumer: IConsumer, offset: int, size: int) -> Deferred[None]:
        self.reads.append((offset, size))
        consumer.write(CONTENT[offset : offset + size])
        return succeed(None)


class FollowerTests(SynchronousTestCase):
    """A blob of a hundred bytes that comes as a test says."""

    def setUp(self) -> None:
        self.file = File()
        self.left = 0
        self.visible = 0
        self.waiting: list[tuple[int, Deferred[int]]] = []
        self.taken = BoundedConsumer(1000)
        self.follower = self.follow(100)

    def follow(self, size: int | None) -> Follower:
        descriptor = Descriptor(DIGEST, size)
        return Follower(
            descriptor, self.file, self.visible_past, self.leave, self.rescue
        )

    def rescue(
        self, consumer: IConsumer, offset: int, end: int | None
    ) -> Deferred[None]:
        consumer.write(CONTENT[offset:end])
        return succeed(None)

    def leave(self) -> None:
        self.left += 1

    def visible_past(self, offset: int) -> Deferred[int]:
        if self.visible > offset or self.visible == 100:
            return succeed(self.visible)
        self.waiting.append((offset, Deferred()))
        return self.waiting[-1][1]

    def show(self, visible: int) -> None:
        self.visible = visible
        waiting, self.waiting = self.waiting, []
        for _, waiter in waiting:
            waiter.callback(visible)

    def test_provides_the_interface(self) -> None:
        """It is an open blob."""
        verifyObject(IBlobReader, self.follower)

    def test_rescued(self) -> None:
        """Where the disk has stopped the fill, the rest comes from elsewhere."""
        done = self.follower.read(self.taken)
        self.show(30)
        ((offset, waiter),) = self.waiting
        self.assertEqual(offset, 30)
        waiter.errback(Failure(CacheFull()))
        self.assertIsNone(self.successResultOf(done))
        self.assertEqual(self.taken.content, CONTENT)

    def test_size(self) -> None:
        """It is that of the blob, or 0 while that is not known."""
        self.assertEqual((self.follower.size, self.follow(None).size), (100, 0))

    def test_follows(self) -> None:
        """It reads what is there, waits for more, and ends at the end."""
        done = self.follower.read(self.taken)
        self.assertEqual([offset for offset, _ in self.waiting], [0])
        self.show(30)
        self.show(70)
        self.assertNoResult(done)
        self.assertEqual([offset for offset, _ in self.waiting], [70])
        self.show(100)
        self.successResultOf(done)
        self.assertEqual(self.taken.content, CONTENT)
        self.assertEqual(self.file.reads, [(0, 30), (30, 40), (70, 30)])
        self.assertIsNone(self.taken._producer)

    def test_part(self) -> None:
        """A part is given as soon as it is there, whatever is still to come."""
        self.show(30)
        done = self.follower.read(self.taken, 10, 40)
        self.show(80)
        self.successResultOf(done)
        self.assertEqual(self.taken.content, CONTENT[10:50])
        self.assertEqual(self.file.reads, [(10, 20), (30, 20)])

    def test_nothing(self) -> None:
        """No bytes are not waited for."""
        self.successResultOf(self.follower.read(self.taken, 10, 0))
        self.successResultOf(self.follower.read(self.taken, 100))
        self.assertEqual((self.waiting, self.file.reads), ([], []))

    def test_size_that_is_not_known(self) -> None:
        """The end is where it turns out to be."""
        done = self.follow(None).read(self.taken)
        self.show(60)
        self.assertNoResult(done)
        self.show(100)
        self.successResultOf(done)
        self.assertEqual(self.taken.content, CONTENT)

    def test_more_than_there_is(self) -> None:
        """What was asked for beyond the end is missing."""
        self.show(100)
        done = self.follower.read(self.taken, 90, 30)
        error = self.failureResultOf(done, ShortRead).value
        self.assertEqual(str(error), "20 bytes are missing")
        self.assertEqual(self.taken.content, CONTENT[90:])

    def test_fill_that_fails(self) -> None:
        """The read fails as the fill does, and the consumer is let go."""
        done = self.follower.read(self.taken)
        self.waiting[0][1].errback(Failure(UpstreamFailed()))
        self.failureResultOf(done, UpstreamFailed)
        self.assertIsNone(self.taken._producer)

    def test_client_that_is_slow(self) -> None:
        """Nothing more is read for it before it has room again."""
        self.show(30)
        slow = Pausing()
        done = self.follower.read(slow)
        self.show(100)
        self.assertEqual((self.file.reads, self.waiting), ([(0, 30)], []))
        slow.producer.resumeProducing()
        self.successResultOf(done)
        self.assertEqual(b"".join(slow.chunks), CONTENT)
        self.assertIsNone(slow.producer)

    def test_client_that_goes(self) -> None:
        """Its read ends, and nothing more is read."""
        self.show(30)
        slow = Pausing()
        done = self.follower.read(slow)
        slow.producer.stopProducing()
        self.failureResultOf(done, ConsumerStopped)
        self.assertEqual((self.file.reads, slow.producer), ([(0, 30)], None))

    def test_cancelled(self) -> None:
        """So does one that is cancelled while it waits."""
        done = self.follower.read(self.taken)
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.assertIsNone(self.taken._producer)

    def test_leaving(self) -> None:
        """It leaves once, however often it is closed."""
        self.follower.close()
        self.follower.close()
        self.assertEqual(self.left, 1)
