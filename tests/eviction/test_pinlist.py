"""Images that an administrator has pinned."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.limited import LimitedDriver
from txregistry.eviction.pinlist import PinList
from txregistry.interfaces.driver import DriverError
from txregistry.interfaces.eviction import IPinList


class PinListTests(SynchronousTestCase):
    """A list in a file."""

    def setUp(self) -> None:
        self.driver = LimitedDriver(Clock(), 10_000)
        self.changes = 0
        self.pins = self.make()

    def make(self) -> PinList:
        return PinList(self.driver, "/pins.json", self.changed)

    def changed(self) -> None:
        self.changes += 1

    def ok(self, done):
        return self.successResultOf(done)

    def test_pins(self) -> None:
        """They stay over a restart, each once, until they are taken out."""
        verifyObject(IPinList, self.pins)
        self.assertEqual(self.ok(self.pins.patterns()), ())
        found = [self.ok(self.pins.pin(x)) for x in ("b:v1", "a/**", "b:v1")]
        self.assertEqual(found, [True, True, False])
        self.assertEqual(self.ok(self.make().patterns()), ("a/**", "b:v1"))
        self.assertTrue(self.ok(self.make().unpin("a/**")))
        self.assertFalse(self.ok(self.make().unpin("a/**")))
        self.assertEqual(self.ok(self.pins.patterns()), ("b:v1",))
        self.assertEqual(self.changes, 3)

    def test_malformed(self) -> None:
        """What is no pattern is refused."""
        self.failureResultOf(self.pins.pin("a b"), ValueError)
        self.assertEqual(self.driver.paths(), [])

    def test_foreign_file(self) -> None:
        """A file that is none of ours is kept beside."""
        for content in (b"", b"{}", b'["a b"]', b"[" * 500):
            self.ok(self.driver.put("/pins.json", content))
            self.assertEqual(self.ok(self.pins.patterns()), ())
            self.assertEqual(self.driver.paths(), ["/pins.json.corrupt"])
        self.assertTrue(self.ok(self.pins.pin("a")))

    def test_full_disk(self) -> None:
        """On a full disk it fails, and nothing is lost."""
        self.ok(self.pins.pin("a"))
        self.driver.room = 0
        self.failureResultOf(self.pins.pin("b"), DriverError)
        self.assertEqual(self.ok(self.pins.patterns()), ("a",))
