"""Scrubs that begin by themselves, and those that are asked for."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from tests.storage.scrub.test_scrubber import SIZE, ScrubCase
from txregistry.interfaces.driver import DriverError
from txregistry.interfaces.scrub import ScrubOptions, ScrubRefused, ScrubReport
from txregistry.speed.failures import failed
from txregistry.storage.scrub.scrubber import Scrubber
from txregistry.storage.scrub.service import Scrubbing, ScrubPlan

DAY = 86400.0


class ServiceCase(ScrubCase):
    """A service over a registry with eight blobs."""

    def setUp(self) -> None:
        super().setUp()
        self.service = self.start()

    def start(self, plan: ScrubPlan | None = None) -> Scrubbing:
        clock = self.house.clock
        plan = plan or ScrubPlan(60.0, 30 * DAY, float(SIZE))
        service = Scrubbing(self.make(), plan, self.house.metrics.scrub, clock, clock)
        service.startService()
        return service

    def stop(self) -> None:
        self.house.settle(self.service.stopService())
        self.assertEqual(self.house.timers(), [])

    def advance(self, seconds: float, step: float = 0.5) -> None:
        for _ in range(int(seconds / step)):
            self.house.clock.advance(step)

    def bytes(self) -> float:
        return self.metric("bytes_total") / SIZE


class ByItselfTests(ServiceCase):
    """An interval, a restart, a failure."""

    def test_first_and_next(self) -> None:
        """The first a while after the start, the next an interval after it began."""
        self.advance(59)
        self.assertEqual(self.bytes(), 0)
        self.advance(30)
        self.assertEqual(self.bytes(), 8)
        self.advance(30 * DAY - 120, 600)
        self.assertEqual(self.bytes(), 8)
        self.advance(2 * 3600, 10)
        self.assertEqual(self.bytes(), 16)
        self.stop()

    def test_restart_in_the_middle(self) -> None:
        """What was interrupted goes on where it was; then nothing until it is due."""
        self.rot(self.digests[0])
        self.advance(64)
        self.assertTrue(2 <= self.bytes() <= 5, self.bytes())
        self.stop()
        self.service = self.start()
        self.advance(59)
        before = self.bytes()
        self.advance(61)
        # The damaged one was read twice, and one may have been in hand.
        self.assertLessEqual(self.bytes(), 10)
        self.assertGreater(self.bytes(), before)
        self.assertEqual(self.metric("damaged_total"), 1)
        self.advance(2 * DAY, 600)
        self.assertLessEqual(self.bytes(), 10)
        self.stop()
        # The last pass is known after a restart, too.
        self.house.metrics.scrub.ended(0.0, 0)
        self.service = self.start()
        self.assertEqual(self.metric("last_pass_unresolved"), 1)
        self.assertGreater(self.metric("last_pass_timestamp_seconds"), 0)
        self.stop()

    def test_failure(self) -> None:
        """A pass that fails is logged, and resumed later."""
        real = Scrubber._read
        fail = lambda *_: failed(DriverError("inmemory", "/", "no"))  # noqa: E731
        self.patch(Scrubber, "_read", fail)
        self.advance(62)
        self.assertEqual(len(self.flushLoggedErrors(DriverError)), 1)
        self.patch(Scrubber, "_read", real)
        self.advance(620)
        self.assertEqual(self.bytes(), 8)
        self.stop()

    def test_only_when_asked(self) -> None:
        """Without a plan nothing is read, and no timer is left."""
        self.stop()
        clock = self.house.clock
        self.service = Scrubbing(
            self.make(), None, self.house.metrics.scrub, clock, clock
        )
        self.service.startService()
        self.assertEqual(self.house.timers(), [])
        self.advance(100 * DAY, 3600)
        self.assertEqual(self.bytes(), 0)
        self.stop()


class FollowTests(ServiceCase):
    """Another plan, as a reload brings it."""

    def test_while_it_reads(self) -> None:
        """A pass under way resumes by the new plan."""
        self.advance(62)
        self.assertLess(self.bytes(), 8)
        self.service.follow(ScrubPlan(5.0, 30 * DAY, 100.0 * SIZE))
        before = self.bytes()
        self.advance(4)
        self.assertLessEqual(self.bytes(), before + 1)
        self.advance(5)
        # One may have been in hand, and is read again.
        self.assertTrue(8 <= self.bytes() <= 9, self.bytes())
        self.stop()

    def test_off_and_on(self) -> None:
        """Without a plan nothing is read; with one again, it begins."""
        self.service.follow(None)
        self.assertEqual(self.house.timers(), [])
        self.advance(DAY, 600)
        self.assertEqual(self.bytes(), 0)
        for _ in range(2):
            self.service.follow(ScrubPlan(5.0, 30 * DAY, 100.0 * SIZE))
        self.advance(10)
        self.assertEqual(self.bytes(), 8)
        self.stop()

    def test_no_database(self) -> None:
        """While nothing is known of earlier passes, it is tried again later."""
        fail = lambda *_: failed(DriverError("inmemory", "/", "no"))  # noqa: E731
        real = Scrubber.remembered
        self.patch(Scrubber, "remembered", fail)
        self.advance(62)
        self.assertEqual(len(self.flushLoggedErrors(DriverError)), 1)
        self.patch(Scrubber, "remembered", real)
        self.advance(620)
        self.assertEqual(self.bytes(), 8)
        self.stop()

    def test_stopped(self) -> None:
        """A service that has stopped begins nothing."""
        self.stop()
        self.service.follow(ScrubPlan(5.0, 30 * DAY, 0.0))
        self.assertEqual(self.house.timers(), [])


class AskedTests(ServiceCase):
    """Passes that an operator asks for."""

    def ask(self, **options: Any) -> Deferred[ScrubReport]:
        return self.service.scrub(ScrubOptions(**options), self.told.append)

    def test_asked(self) -> None:
        """It counts as the pass of this interval."""
        self.assertTrue(self.house.settle(self.ask()).complete)
        self.advance(DAY, 60)
        self.assertEqual(self.bytes(), 8)
        self.stop()

    def test_over_an_own_one(self) -> None:
        """An own pass makes room for it, and is not needed after it."""
        self.advance(64)
        report = self.house.settle(self.ask())
        self.assertEqual((report.complete, report.contents), (True, 8))
        read = self.bytes()
        self.advance(DAY, 60)
        self.assertEqual(self.bytes(), read)
        self.stop()

    def test_repository_in_between(self) -> None:
        """A pass over one repository does not lose the position of the own one."""
        self.push(b"x" * SIZE, "b")
        self.advance(64)
        report = self.house.settle(self.ask(repositories=("b",)))
        self.assertEqual(report.contents, 1)
        self.advance(60)
        self.assertLessEqual(self.bytes(), 9 + 1 + 1)
        self.assertGreater(self.metric("last_pass_timestamp_seconds"), 0)
        self.stop()

    def test_client_leaves(self) -> None:
        """The rest is read by the service, as the pass is not complete."""
        done = self.ask(rate=float(SIZE))
        self.advance(3)
        done.cancel()
        self.assertFalse(self.house.settle(done).complete)
        self.advance(60)
        self.assertGreater(self.metric("last_pass_timestamp_seconds"), 0)
        self.assertLessEqual(self.bytes(), 9)
        self.stop()

    def test_two_at_once(self) -> None:
        """The second is refused."""
        done = self.ask(rate=float(SIZE))
        self.failureResultOf(self.ask(), ScrubRefused)
        done.cancel()
        self.house.settle(done)
        self.stop()

    def test_stop(self) -> None:
        """A stop ends it after the piece in hand, and none begins after it."""
        done = self.ask(rate=float(SIZE))
        self.advance(3)
        self.stop()
        self.assertFalse(self.successResultOf(done).complete)
        self.failureResultOf(self.ask(), ScrubRefused)
        self.assertEqual(self.house.timers(), [])
