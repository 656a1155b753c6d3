"""What belongs to pinned images, as of the last look."""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.eviction.closure import NeededContent
from txregistry.eviction.pinned import MAX_AGE_SECONDS, PinnedImages
from txregistry.interfaces.driver import DriverError
from txregistry.interfaces.eviction import IPinned
from txregistry.spec.digest import Digest
from txregistry.spec.images import ImagePattern

DIGEST = Digest.of(b"x")


class Source:
    """A closure and a list of pins."""

    def follow(self, called: object) -> None:
        """Names do not matter here."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.listed: tuple[str, ...] = ()
        self.error: Exception | None = None
        self.waiting: Deferred | None = None

    def of(self, patterns: list[ImagePattern]) -> Deferred[NeededContent]:
        self.asked.append([str(pattern) for pattern in patterns])
        if self.error is not None:
            return fail(self.error)
        if self.waiting is not None:
            return self.waiting
        needed = NeededContent()
        if patterns:
            needed.add(DIGEST)
            needed.add_tag("a", "v1")
        return succeed(needed)

    def patterns(self) -> Deferred[tuple[str, ...]]:
        return succeed(self.listed)


class PinnedTests(SynchronousTestCase):
    """When it is looked again."""

    def setUp(self) -> None:
        self.clock, self.source = Clock(), Source()
        self.clock.advance(1000)
        self.pinned = PinnedImages(self.source, self.source, self.clock)

    def renew(self, **how: bool) -> None:
        self.successResultOf(self.pinned.renew(**how))

    def test_age(self) -> None:
        """What was found is believed for a minute, unless it is asked for now."""
        verifyObject(IPinned, self.pinned)
        self.renew()
        self.renew()
        self.assertEqual(len(self.source.asked), 1)
        self.assertEqual(self.pinned.since, 1000.0)
        self.clock.advance(MAX_AGE_SECONDS)
        self.renew()
        self.assertEqual(len(self.source.asked), 2)
        self.renew(now=True)
        self.assertEqual(len(self.source.asked), 3)

    def test_clock_that_jumps_back(self) -> None:
        """A look in the future is none."""
        self.renew()
        self.clock.rightNow -= 500
        self.renew()
        self.assertEqual(len(self.source.asked), 2)

    def test_both_lists(self) -> None:
        """Pins of the configuration and of an administrator count."""
        self.renew()
        self.assertFalse(self.pinned.holds(str(DIGEST)))
        self.pinned.follow((ImagePattern.parse("a"),), lambda name: [name.text])
        self.source.listed = ("b:v1",)
        self.renew()
        self.assertEqual(self.source.asked[-1], ["a", "b:v1"])
        self.assertTrue(self.pinned.holds(str(DIGEST)))
        self.assertTrue(self.pinned.holds_tag("a", "v1"))
        self.assertFalse(self.pinned.holds_tag("a", "v2"))

    def test_failures(self) -> None:
        """Pins that are known stay; without any it fails, and nothing may go."""
        self.source.error = DriverError("d", "/", "away")
        self.failureResultOf(self.pinned.renew(), DriverError)
        self.source.error = None
        self.source.listed = ("a",)
        self.renew()
        self.source.error = DriverError("d", "/", "away")
        self.clock.advance(MAX_AGE_SECONDS)
        self.renew()
        self.assertTrue(self.pinned.holds(str(DIGEST)))

    def test_together(self) -> None:
        """Two who ask at once share a look."""
        self.source.waiting = Deferred()
        asked = [self.pinned.renew(now=True) for _ in range(2)]
        self.clock.advance(1)
        self.source.waiting.callback(NeededContent())
        for done in asked:
            self.successResultOf(done)
        self.assertLessEqual(len(self.source.asked), 2)
