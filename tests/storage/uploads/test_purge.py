"""Purging uploads that nobody goes on with."""

from __future__ import annotations

import os
import uuid

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow.disk import InlineDisk
from txregistry.interfaces.driver import DriverError
from txregistry.storage.uploads.purge import (
    LEFTOVER_SECONDS,
    PurgePlan,
    UploadPurger,
    UploadPurging,
)
from txregistry.storagedriver.filesystem.driver import FilesystemDriver
from txregistry.testing.house import TestHouse


class PurgeCase(SynchronousTestCase):
    """A registry with uploads."""

    def setUp(self) -> None:
        self.house = TestHouse()
        self.purger = UploadPurger(self.house.driver, self.house.clock)

    def begin(self, repository: str = "a/b") -> str:
        got = self.house.send("POST", f"/v2/{repository}/blobs/uploads/")
        return got.header("Location")

    def purge(self, age: float, dry_run: bool = False):
        before = self.house.clock.seconds() - age
        done = self.purger.purge(before=before, dry_run=dry_run)
        return self.house.settle(done)

    def status(self, location: str) -> int:
        return self.house.send("GET", location).status


class PurgeTests(PurgeCase):
    """What goes and what stays."""

    def test_old_ones_go(self) -> None:
        """In every repository, and younger ones stay."""
        old = [self.begin("a/b"), self.begin("c"), self.begin("c/d")]
        self.house.clock.advance(1000)
        young = self.begin()
        report = self.purge(500)
        self.assertEqual(len(report.deleted), 3)
        self.assertEqual([self.status(location) for location in old], [404] * 3)
        self.assertEqual(self.status(young), 204)

    def test_one_that_is_written_to_stays(self) -> None:
        """However long ago it began."""
        location = self.begin()
        self.house.clock.advance(1000)
        self.house.send("PATCH", location, b"still here")
        self.assertEqual(self.purge(500).deleted, ())

    def test_dry_run(self) -> None:
        """Says what would go."""
        location = self.begin()
        self.house.clock.advance(1000)
        self.assertEqual(len(self.purge(500, dry_run=True).deleted), 1)
        self.assertEqual(self.status(location), 204)

    def test_others_are_left_alone(self) -> None:
        """What does not say when it began, and what is no upload."""
        root = "/docker/registry/v2/repositories/a"
        paths = [f"{root}/_uploads/x/data", f"{root}/_important/y/startedat"]
        for path in paths:
            self.house.settle(self.house.driver.put(path, b"2000-01-01T00:00:00Z"))
        self.house.clock.advance(1000)
        self.purge(500)
        self.assertLessEqual(set(paths), set(self.house.paths()))

    def test_leftovers_of_crashes(self) -> None:
        """They go with the uploads, when no process can still be at them."""
        root, clock = self.mktemp(), Clock()
        driver = FilesystemDriver(root, InlineDisk())
        self.successResultOf(driver.put("/a/link", b"x"))
        for age in (LEFTOVER_SECONDS + 1, LEFTOVER_SECONDS - 1):
            with open(f"{root}/a/link.{uuid.uuid4()}.tmp", "xb") as file:
                os.utime(file.fileno(), (0, 1e6 - age))
        clock.advance(1e6)
        purger = UploadPurger(driver, clock)
        dry = self.successResultOf(purger.purge(before=0.0, dry_run=True))
        done = self.successResultOf(purger.purge(before=0.0))
        self.assertEqual((dry.leftovers, done.leftovers), (0, 1))
        self.assertEqual(len(os.listdir(f"{root}/a")), 2)

    def test_a_failure_keeps_none_of_the_others(self) -> None:
        """One that cannot be deleted is told, and the rest goes."""
        first, second = self.begin("a"), self.begin("b")
        self.house.clock.advance(1000)
        real = self.house.driver.delete

        def delete(path: str, durable: bool = True):
            if "/a/" in path:
                raise DriverError("inmemory", path, "no")
            return real(path=path, durable=durable)

        self.patch(
            type(self.house.driver), "delete", lambda _, **named: delete(**named)
        )
        report = self.purge(500)
        self.assertEqual((len(report.deleted), len(report.failed)), (1, 1))
        self.assertEqual((self.status(first), self.status(second)), (204, 404))


class PurgingTests(PurgeCase):
    """The service that does it every so often."""

    def test_first_and_further_ones(self) -> None:
        """The first after a delay, the next after each interval, none after a stop."""
        service = UploadPurging(
            self.purger, self.house.clock, PurgePlan(60.0, 600.0, 100.0, False)
        )
        service.startService()
        first = self.begin()
        self.house.clock.advance(59)
        self.assertEqual(self.status(first), 204)
        self.house.clock.advance(542)
        self.house.clock.advance(60)
        self.assertEqual(self.status(first), 404)
        service.stopService()
        second = self.begin()
        self.house.clock.advance(5000)
        self.assertEqual(self.status(second), 204)
        self.assertEqual(self.house.clock.getDelayedCalls(), [])

    def test_another_plan(self) -> None:
        """It counts from when it is made; one that is off purges nothing."""
        service = UploadPurging(
            self.purger, self.house.clock, PurgePlan(60.0, 600.0, 100.0, False)
        )
        off = PurgePlan(0.0, 1.0, 1.0, False, enabled=False)
        service.follow(off)
        service.startService()
        first = self.begin()
        self.house.clock.advance(1000)
        self.assertEqual(self.status(first), 204)
        service.follow(PurgePlan(60.0, 600.0, 100.0, False))
        self.house.clock.advance(61)
        self.assertEqual(self.status(first), 404)
        service.follow(off)
        self.assertEqual(self.house.clock.getDelayedCalls(), [])
