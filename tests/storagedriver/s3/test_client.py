"""What is done when the store does not answer well."""

from __future__ import annotations

from typing import Any

from botocore.credentials import Credentials
from twisted.internet import error as network
from twisted.internet.defer import CancelledError, Deferred

from tests.storagedriver.s3.case import StoreCase
from txregistry.interfaces.driver import DriverError, PathNotFound
from txregistry.storagedriver.s3.client import STALL_SECONDS

SLOW = b"<Error><Code>SlowDown</Code></Error>"


class ClientTests(StoreCase):
    """Questions are asked again, or fail with a reason."""

    def test_passing_failures(self) -> None:
        """What passes is asked again, after waits that grow."""
        self.store.objects["a"] = b"x"
        self.store.broken = [
            (503, SLOW),
            (500, b""),
            (400, b"<Error><Code>RequestTimeout</Code></Error>"),
        ]
        began = self.clock.seconds()
        self.assertEqual(self.later(self.driver.get("/a")), b"x")
        self.assertEqual(len(self.store.asked), 4)
        self.assertGreaterEqual(self.clock.seconds() - began, 0.7)

    def test_lasting_failures(self) -> None:
        """After seven attempts the reason is told, and no wait is left."""
        self.store.broken = [(503, SLOW)] * 50
        error = self.fails(self.driver.put("/a", b"x"), DriverError)
        self.assertEqual((error.path, error.reason), ("/a", "503 SlowDown"))
        self.assertEqual(len(self.store.asked), 7)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_refusals(self) -> None:
        """What will not pass is asked once."""
        denied = b"<Error><Code>AccessDenied</Code><Message>No.</Message></Error>"
        self.store.broken = [(403, denied)]
        error = self.fails(self.driver.get("/a"), DriverError)
        self.assertEqual(error.reason, "403 AccessDenied: No.")
        gone = b"<Error><Code>NoSuchBucket</Code></Error>"
        self.store.broken = [(404, gone)]
        error = self.fails(self.driver.get("/a"), DriverError)
        self.assertNotIsInstance(error, PathNotFound)
        self.assertEqual(len(self.store.asked), 2)

    def test_refused_connections(self) -> None:
        """A store that is not there is told as such."""
        self.place.wire.refused = network.ConnectionRefusedError()
        error = self.fails(self.driver.get("/a"), DriverError)
        self.assertIn("refused", error.reason)

    def test_silence(self) -> None:
        """A store that says nothing is given up, after another attempt."""
        self.store.objects["a"], self.store.hold = b"xyz", 1
        done = self.driver.get("/a")
        for _ in range(2):
            self.place.pump()
            self.assertNoResult(done)
            self.clock.advance(STALL_SECONDS)
            self.place.pump()
            self.clock.advance(1)
        error = self.failureResultOf(done, DriverError).value
        self.assertIn("no answer for 60 s", error.reason)

    def test_cancelling(self) -> None:
        """Whoever does not want it any more leaves nothing under way."""
        self.store.objects["a"], self.store.hold = b"xyz", 1
        done = self.driver.get("/a")
        self.place.pump()
        done.cancel()
        self.failureResultOf(done)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.place.pump()
        self.assertEqual(len(self.store.asked), 1)

    def test_cancelled_before_an_answer(self) -> None:
        """So it is before a word of the store has come: nothing is asked again."""
        done = self.driver.get("/a")
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_clock(self) -> None:
        """A clock that is wrong is corrected by the store's, once and for all."""
        self.store.objects["a"] = b"x"
        self.clock.rightNow += 7200
        self.store.skew = -7200
        self.store.broken = [(403, b"<Error><Code>RequestTimeTooSkewed</Code></Error>")]
        self.assertEqual(self.later(self.driver.get("/a")), b"x")
        self.assertEqual(self.later(self.driver.get("/a")), b"x")
        self.assertEqual(len(self.store.asked), 3)

    def test_region(self) -> None:
        """The region of a bucket that is elsewhere is told."""
        self.store.broken = [(301, b"")]
        self.store.region = "there"
        error = self.fails(self.driver.get("/a"), DriverError)
        self.assertEqual(error.reason, "301; the bucket's region is there")

    def test_credentials_that_end(self) -> None:
        """All questions that are under way then go on with the next ones."""
        chain = self.driver._parts.keychain
        loads: list[Deferred[None]] = []
        names = iter(["old", "key"])

        class Ending:
            """Are good until the store says otherwise."""

            def __init__(self) -> None:
                self.keys = Credentials(next(names), "secret")

            def refresh_needed(self) -> bool:
                return False

            def get_frozen_credentials(self) -> Credentials:
                return self.keys

        class SlowDisk:
            """Finds them when the test says so."""

            def run(self, work: Any, *args: Any) -> Deferred[Any]:
                loads.append(Deferred())
                return loads[-1].addCallback(lambda _: work(*args))

        chain._found, chain._disk, chain._load = Ending(), SlowDisk(), Ending
        self.store.objects.update(a=b"a", b=b"b")
        ended = b"<Error><Code>ExpiredToken</Code></Error>"
        self.store.broken = [(400, ended), (400, ended)]
        done = [self.driver.get("/a"), self.driver.get("/b")]
        for _ in range(3):
            self.place.pump()
            self.clock.advance(0)
        self.assertEqual(len(loads), 1)
        loads[0].callback(None)
        self.assertEqual([self.later(one) for one in done], [b"a", b"b"])
        self.assertEqual(len(self.store.asked), 4)
