"""Tests of the driver on the wire."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.storagedriver.s3.store import Place, make_place


class PumpingCase(SynchronousTestCase):
    """Moves what is on the wire before it looks at a result."""

    place: Place

    def successResultOf(self, deferred: Any) -> Any:
        self.place.pump()
        return super().successResultOf(deferred)

    def failureResultOf(self, deferred: Any, *expected: Any) -> Any:
        self.place.pump()
        return super().failureResultOf(deferred, *expected)


#: Two megabytes in which each place looks like another one only after 256 bytes.
CONTENT = bytes(range(256)) * 8192


class StoreCase(PumpingCase):
    """A driver on a store."""

    def setUp(self) -> None:
        self.use()

    def use(self, **settings: object) -> None:
        self.place = make_place(**settings)
        self.store, self.driver = self.place.store, self.place.driver
        self.clock = self.place.clock

    def ok(self, done: Deferred[Any]) -> Any:
        return self.successResultOf(done)

    def later(self, done: Deferred[Any]) -> Any:
        """Give what comes after some waits."""
        fired: list[object] = []
        done.addBoth(lambda result: (fired.append(None), result)[1])
        for _ in range(400):
            self.place.pump()
            if fired:
                return self.successResultOf(done)
            self.clock.advance(1)
        raise AssertionError("it never ends")

    def fails(self, done: Deferred[Any], *expected: Any) -> Any:
        """Give the error that comes after some waits."""
        fired: list[object] = []
        done.addBoth(lambda result: (fired.append(None), result)[1])
        for _ in range(400):
            self.place.pump()
            if fired:
                return self.failureResultOf(done, *expected).value
            self.clock.advance(1)
        raise AssertionError("it never ends")


class ContentCase(StoreCase):
    """A driver on a store that has one object."""

    def setUp(self) -> None:
        super().setUp()
        self.store.objects["a"] = CONTENT

    def open(self) -> Any:
        reader = self.ok(self.driver.reader("/a"))
        self.addCleanup(reader.close)
        return reader
