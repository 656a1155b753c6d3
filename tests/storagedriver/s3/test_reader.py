"""How objects are read."""

from __future__ import annotations

import hashlib

from tests.storagedriver.s3.case import CONTENT, ContentCase
from txregistry.flow.streams import BoundedConsumer


class ReaderTests(ContentCase):
    """A reader of an object."""

    def test_too_late(self) -> None:
        """An answer that nobody reads is let go; reading asks again."""
        reader = self.open()
        self.clock.advance(60)
        self.place.pump()
        self.assertEqual(self.place.wire.open_connections, 0)
        consumer = BoundedConsumer(1 << 22)
        self.ok(reader.read(consumer))
        self.assertTrue(consumer.content == CONTENT)
        self.assertEqual(len(self.store.asked), 2)

    def test_closing(self) -> None:
        """Closing lets it go at once."""
        self.open().close()
        self.place.pump()
        self.assertEqual(self.place.wire.open_connections, 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_hash(self) -> None:
        """A hash gets all, with the consumer's pauses."""
        hasher = hashlib.sha256()
        self.ok(self.open().hash(hasher, len(CONTENT)))
        self.assertEqual(hasher.hexdigest(), hashlib.sha256(CONTENT).hexdigest())
