"""What a collection has to spare."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName
from txregistry.storage.content.pins import MAX_REMEMBERED, Pins

NAME = RepositoryName("a/b")


class PinsTests(SynchronousTestCase):
    """What a collection has to spare."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1000)
        self.pins = Pins(self.clock)
        self.digest = Digest.of(b"a")

    def test_used(self) -> None:
        """What was used since a time is spared; what was used before is not."""
        self.pins.use(self.digest)
        self.assertTrue(self.pins.spares(self.digest, 1000))
        self.assertFalse(self.pins.spares(self.digest, 1000.5))
        self.clock.advance(1)
        self.pins.use(self.digest)
        self.assertTrue(self.pins.spares(self.digest, 1000.5))
        self.assertFalse(self.pins.spares(Digest.of(b"b"), 1))

    def test_pinned_during_a_collection(self) -> None:
        """Pins count from the beginning of a collection to its end."""
        self.pins.pin(self.digest)
        self.assertFalse(self.pins.spares(self.digest, 1))
        self.pins.begin()
        self.assertFalse(self.pins.spares(self.digest, 1))
        self.pins.pin(self.digest, Digest.of(b"b"))
        for content in (b"a", b"b"):
            self.assertTrue(self.pins.spares(Digest.of(content), 9999))
        self.pins.end()
        self.assertFalse(self.pins.spares(self.digest, 1))
        self.pins.begin()
        self.assertFalse(self.pins.spares(self.digest, 1))

    def test_memory_is_bounded(self) -> None:
        """Of very many uses the latest are remembered."""
        digests = [Digest("sha256", f"{number:064x}") for number in range(1000)]
        self.pins.use(self.digest)
        for round_ in range(MAX_REMEMBERED // 1000):
            for digest in digests:
                self.pins.use(Digest("sha256", f"{round_:x}" + digest.hex[8:]))
        self.assertLessEqual(len(self.pins._used), MAX_REMEMBERED)
        self.assertFalse(self.pins.spares(self.digest, 1))

    def test_use_keeps_it_young(self) -> None:
        """What is used again and again is not pushed out by what is used once."""
        for number in range(MAX_REMEMBERED + 10):
            self.pins.use(Digest("sha256", f"{number:064x}"))
            if number % 1000 == 0:
                self.pins.use(self.digest)
        self.assertTrue(self.pins.spares(self.digest, 1))
