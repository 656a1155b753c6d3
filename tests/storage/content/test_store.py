"""Content by digest."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow.streams import BoundedConsumer
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import BlobUnknown
from txregistry.storage.tree import layout
from txregistry.testing.house import TestHouse

CONTENT = b"content"
DIGEST = Digest.of(CONTENT)


class ContentTests(SynchronousTestCase):
    """What lies under a digest, and who reads it."""

    def setUp(self) -> None:
        self.house = TestHouse()
        self.content = self.house.content

    def put(self, content: bytes = CONTENT, digest: Digest = DIGEST) -> None:
        self.successResultOf(self.house.driver.put(layout.blob_data(digest), content))

    def is_stored(self) -> bool:
        return layout.blob_data(DIGEST) in self.house.paths()

    def test_missing(self) -> None:
        """What is not there is unknown, and no lease is left of the question."""
        self.failureResultOf(self.content.stat(digest=DIGEST), BlobUnknown)
        self.failureResultOf(self.content.open(digest=DIGEST), BlobUnknown)
        self.assertFalse(self.successResultOf(self.content.verify(digest=DIGEST)))
        self.assertFalse(self.successResultOf(self.content.is_there(digest=DIGEST)))
        self.assertFalse(self.content.leases.held(DIGEST))

    def test_read(self) -> None:
        """It is read under a lease, which ends when it is closed, once."""
        self.put()
        found = self.successResultOf(self.content.stat(digest=DIGEST))
        self.assertEqual(found, Descriptor(DIGEST, 7))
        reader = self.successResultOf(self.content.open(digest=DIGEST))
        self.assertTrue(self.content.leases.held(DIGEST))
        consumer = BoundedConsumer(100)
        self.successResultOf(reader.read(consumer, 2, 3))
        self.assertEqual((consumer.content, reader.size), (b"nte", 7))
        for _ in range(2):
            reader.close()
        self.assertFalse(self.content.leases.held(DIGEST))

    def test_damaged(self) -> None:
        """What does not match its digest is unknown, though it is there."""
        self.put(b"another")
        self.assertTrue(self.successResultOf(self.content.is_there(digest=DIGEST)))
        self.assertFalse(self.successResultOf(self.content.verify(digest=DIGEST)))
        self.failureResultOf(self.content.open(digest=DIGEST), BlobUnknown)
        self.assertFalse(self.content.leases.held(DIGEST))
        self.flushLoggedErrors()

    def test_links_that_are_not_known(self) -> None:
        """Nothing is collected before the tree was scanned, or after a loss."""
        self.put()
        collect = self.content.collect
        self.assertFalse(self.successResultOf(collect(digest=DIGEST)))
        self.successResultOf(self.house.rebuild.run())
        self.house.rebuild._recorded_generation = self.house.ledger.generation - 1
        self.assertFalse(self.successResultOf(collect(digest=DIGEST)))
        self.successResultOf(self.house.rebuild.run())
        self.assertTrue(self.successResultOf(collect(digest=DIGEST)))

    def test_collected(self) -> None:
        """Content goes unless somebody reads it."""
        self.successResultOf(self.house.rebuild.run())
        self.put()
        reader = self.successResultOf(self.content.open(digest=DIGEST))
        self.assertFalse(self.successResultOf(self.content.collect(digest=DIGEST)))
        self.assertTrue(self.is_stored())
        reader.close()
        self.assertTrue(self.successResultOf(self.content.collect(digest=DIGEST)))
        self.assertFalse(self.is_stored())
        self.failureResultOf(self.content.stat(digest=DIGEST), BlobUnknown)

    def test_discarded(self) -> None:
        """A collection spares what was used after it began, and what is read."""
        self.put()
        self.house.clock.advance(10)
        now = self.house.clock.seconds()
        self.content.use(DIGEST)
        self.assertFalse(self.successResultOf(self.content.discard(DIGEST, now)))
        reader = self.successResultOf(self.content.open(digest=DIGEST))
        self.assertFalse(self.successResultOf(self.content.discard(DIGEST, now + 1)))
        reader.close()
        self.assertTrue(self.successResultOf(self.content.discard(DIGEST, now + 1)))
        self.assertFalse(self.is_stored())
