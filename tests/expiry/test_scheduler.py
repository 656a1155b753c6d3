"""What is due goes, at an interval."""

from __future__ import annotations

import json
from itertools import pairwise

from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock, deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from tests.eviction.test_closure import image
from tests.expiry.test_expiry import TTL, ExpiryCase
from txregistry.expiry import scheduler as module
from txregistry.expiry.ledger_sqlite import SqliteLedger
from txregistry.expiry.plan import ExpiryPlan
from txregistry.expiry.rebuild import Rebuild
from txregistry.expiry.scheduler import RETRY_SECONDS, ExpiryScheduler, retry_after
from txregistry.interfaces.driver import DriverError
from txregistry.interfaces.expiry import Kind, LedgerAway
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName, Tag
from txregistry.storage.content.damage import Damage
from txregistry.storage.content.inventory import Inventory
from txregistry.storage.tree import layout
from txregistry.testing.house import TestHouse


class SchedulerTests(ExpiryCase):
    """A loop over the ledger."""

    def test_leftovers_that_cannot_be_deleted(self) -> None:
        """What is left over and cannot be looked at keeps nothing from expiring."""
        self.house.get(self.target)

        def refuse(*_: object, **__: object) -> None:
            raise DriverError("inmemory", layout.DAMAGED, "Permission denied")

        self.patch(Damage, "purge", refuse)
        self.pass_time(4000)
        self.ok(self.house.scheduler.tick())
        self.assertNotIn(layout.blob_data(self.blob), self.house.paths())
        self.assertTrue(self.flushLoggedErrors(DriverError))

    def test_leftovers_of_unknown_holders(self) -> None:
        """A ledger that is away is told by its client, not at each tick."""
        damaged = Digest.of(b"damaged")
        self.ok(self.house.driver.put(layout.damaged(damaged, 1), b"x"))
        asked: list[object] = []

        def refuse(_: object, digest: Digest) -> Deferred[None]:
            asked.append(digest)
            return fail(LedgerAway("redis does not answer"))

        patched = self.patch(SqliteLedger, "holders", refuse)
        self.ok(self.house.scheduler.tick())
        self.assertEqual(asked, [damaged])
        self.assertEqual(self.flushLoggedErrors(), [])
        patched.restore()
        self.ok(self.house.scheduler.tick())
        self.assertNotIn(layout.damaged(damaged, 1), self.house.paths())

    def test_a_ledger_that_goes_away(self) -> None:
        """It ends the round, which its client has told; all goes when it is back."""
        other = self.house.upstream.add_blob("a", b"other")
        for digest in (self.blob, other):
            self.house.get(f"/v2/a/blobs/{digest}")
        asked: list[Digest] = []

        def away(_: object, digest: Digest) -> Deferred[None]:
            asked.append(digest)
            return fail(LedgerAway("redis does not answer"))

        patched = self.patch(SqliteLedger, "holders", away)
        self.pass_time(TTL + 30)
        self.assertEqual(len(asked), 1)
        patched.restore()
        self.pass_time(120)
        self.assertFalse(self.is_stored(self.blob) or self.is_stored(other))

    def test_a_ledger_that_is_away_at_the_start(self) -> None:
        """Nothing is read in vain, it is told once, and again after a scan."""
        told = []
        self.patch(ExpiryScheduler, "_log", Logger(observer=told.append))
        self.house.get(self.target)
        self.ok(self.house.ledger.flush())

        def away(*_: object, **__: object) -> Deferred[None]:
            return fail(LedgerAway("redis does not answer"))

        for times in (1, 2):
            patched = self.patch(SqliteLedger, "restore", away)
            found = self.patch(Inventory, "found", None)
            self.house.scheduler._rebuilt_generation = None
            self.pass_time(200)
            self.assertEqual(len(told), times)
            found.restore()
            patched.restore()
            self.pass_time(100)
            self.assertEqual(self.house.scheduler._rebuilt_generation, 0)

    def test_scan_that_fails(self) -> None:
        """It is told once and tried again soon: no room is made before it succeeds."""
        self.house.get(self.target)
        self.ok(self.house.ledger.flush())

        def full(*_: object, **__: object) -> Deferred[None]:
            return fail(OSError("No space left on device"))

        scheduler = self.house.scheduler
        patched = self.patch(SqliteLedger, "restore", full)
        scheduler._rebuilt_generation = None
        scheduler._scan_again()
        self.house.pump()
        self.house.clock.advance(RETRY_SECONDS)
        self.house.pump()
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        patched.restore()
        self.assertFalse(scheduler.is_ready)
        self.house.clock.advance(RETRY_SECONDS)
        self.house.pump()
        self.assertTrue(scheduler.is_ready)

    def test_scan_that_fails_late(self) -> None:
        """It is tried soon, and ever later, also where rounds would begin one."""
        scheduler, clock = self.house.scheduler, self.house.clock
        begun: list[float] = []

        def late(*_: object) -> Deferred[None]:
            begun.append(clock.seconds())
            error = DriverError("filesystem", "/a", "Permission denied")
            return deferLater(clock, 300.0, lambda: Failure(error))

        self.patch(Rebuild, "run", late)
        scheduler._rebuilt_generation = None
        scheduler._scan_again()
        self.pass_time(20_000)
        pauses = [after - before - 300 for before, after in pairwise(begun)]
        for pause, planned in zip(
            pauses, (10, 20, 40, 80, 160, 320, 640, 1280, 2560, 2700), strict=False
        ):
            self.assertTrue(planned <= pause <= planned + 100, pauses)
        self.assertEqual(len(begun), 13)
        self.assertEqual(len(self.flushLoggedErrors(DriverError)), 1)
        while scheduler._rebuilding is not None:
            self.pass_time(50)
        scheduler.follow(scheduler.plan)
        self.pass_time(1)
        self.assertEqual(len(begun), 14)

    def test_wall_clock_that_is_set(self) -> None:
        """It is not taken for the duration of a scan."""
        scheduler, waits = self.house.scheduler, list[Deferred[None]]()

        def run(*_: object) -> Deferred[None]:
            waits.append(Deferred())
            return waits[-1]

        self.patch(Rebuild, "run", run)
        scheduler._timer = timer = Clock()
        scheduler._again._clock = timer
        scheduler._rebuilt_generation = None
        for _ in range(2):
            scheduler._scan_again()
            self.house.clock.advance(1e9)
            waits[-1].errback(OSError("broken"))
            timer.advance(9)
            self.assertIsNone(scheduler._rebuilding)
            timer.advance(1)
            self.assertIsNotNone(scheduler._rebuilding)
            scheduler._rebuilding.cancel()
            scheduler._scans_failed = 0
        self.flushLoggedErrors(OSError)

    def test_stopped_in_a_round(self) -> None:
        """Nothing is begun that nobody would end."""
        scheduler, flushing = self.house.scheduler, Deferred[None]()
        patched = self.patch(SqliteLedger, "flush", lambda _: flushing)
        scheduler._rebuilt_generation = None
        done = scheduler.tick()
        stopped = scheduler.stopService()
        patched.restore()
        flushing.callback(None)
        self.house.pump()
        self.successResultOf(done)
        self.successResultOf(stopped)
        self.assertIsNone(scheduler._rebuilding)
        self.assertFalse(scheduler._again.is_armed)

    def test_when_it_is_tried_again(self) -> None:
        """Soon at first, then after nine times as long at most, within an hour."""
        for failures, took, expected in (
            (0, 0, 10),
            (0, 9000, 10),
            (99, 0, 10),
            (1, 60, 20),
            (99, 60, 540),
            (10_000, 9000, 3600),
        ):
            self.assertEqual(retry_after(failures, took), expected)

    def test_stopped_after_a_scan_that_failed(self) -> None:
        """Nothing is tried again then."""
        self.patch(SqliteLedger, "restore", lambda *_, **__: fail(OSError("full")))
        scheduler = self.house.scheduler
        scheduler._rebuilt_generation = None
        scheduler._scan_again()
        self.house.pump()
        self.successResultOf(scheduler.stopService())
        self.house.clock.advance(RETRY_SECONDS)
        self.house.pump()
        self.assertFalse(scheduler.is_ready)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_changed_ttl_holds_for_what_is_there(self) -> None:
        """A shorter time to live applies at once to everything."""
        self.house.get(self.target)
        self.pass_time(300)
        self.successResultOf(self.house.scheduler.stopService())
        object.__setattr__(self.house.scheduler._plan, "ttl_seconds", 200.0)
        self.house.scheduler.startService()
        self.pass_time(150)
        self.assertFalse(self.is_stored(self.blob))

    def test_times_of_upstreams(self) -> None:
        """Each repository has the time of its upstream, whatever lies before it."""
        digests = [
            self.house.upstream.add_blob(name, name.encode())
            for name in ("long/a", "never/a", "short/a", "a")
        ]
        for name, digest in zip(
            ("long/a", "never/a", "short/a", "a"), digests, strict=True
        ):
            self.house.get(f"/v2/{name}/blobs/{digest}")
        others = {"long": TTL * 10, "never": 0, "short": 60}
        self.house.scheduler.follow(ExpiryPlan(TTL, others))
        for seconds, stored in (
            (120, [True, True, False, True]),
            (TTL, [True, True, False, False]),
            (TTL * 10, [False, True, False, False]),
        ):
            self.pass_time(seconds)
            found = [self.is_stored(digest) for digest in digests]
            self.assertEqual(found, stored, seconds)

    def test_pages(self) -> None:
        """What lives longer does not keep others from being looked at."""
        self.patch(module, "BATCH", 2)
        for number in range(7):
            name = f"never/{number}" if number < 5 else f"a/{number}"
            digest = self.house.upstream.add_blob(name, name.encode())
            self.house.get(f"/v2/{name}/blobs/{digest}")
        self.house.scheduler.follow(ExpiryPlan(TTL, {"never": 0}))
        self.pass_time(TTL + 120)
        entries = self.successResultOf(self.house.ledger.entries())
        names = sorted(entry.key.repository.text for entry in entries)
        self.assertEqual(names, [f"never/{number}" for number in range(5)])

    def test_another_plan(self) -> None:
        """A time to live that changes meanwhile holds at once, and at the end."""
        self.house.get(self.target)
        self.pass_time(TTL / 2)
        self.house.scheduler.follow(ExpiryPlan(TTL * 10))
        self.pass_time(TTL * 5)
        self.assertTrue(self.is_stored(self.blob))
        self.successResultOf(self.house.rebuild.export_state())
        state = self.house.driver.get(path=layout.SCHEDULER_STATE)
        (entry,) = json.loads(self.successResultOf(state)).values()
        self.assertIn("2023-11-15T01:00", entry["ExpiryData"])
        self.house.scheduler.follow(ExpiryPlan(TTL))
        self.pass_time(120)
        self.assertFalse(self.is_stored(self.blob))

    def test_zero_keeps_for_ever(self) -> None:
        """A time to live of 0 is no expiry at all."""
        house = TestHouse(ttl=0.0)
        house.scheduler.startService()
        digest = house.upstream.add_blob("a", b"kept")
        house.get(f"/v2/a/blobs/{digest}")
        for _ in range(100):
            house.clock.advance(100_000)
        self.assertIn(layout.blob_data(digest), house.paths())
        self.successResultOf(house.scheduler.stopService())

    def test_nothing_goes_before_the_tree_was_looked_through(self) -> None:
        """While the inventory is being taken, what is due stays."""
        self.successResultOf(self.house.scheduler.stopService())
        self.house.get(self.target)
        endless = _Endless()
        self.house.rebuild._inventory = endless
        self.house.scheduler.startService()
        self.pass_time(3000)
        self.assertTrue(self.is_stored(self.blob))

    def test_failure_is_tried_again(self) -> None:
        """What could not be expired is tried again at the next tick."""
        self.house.get(self.target)
        functions = self.house.scheduler._functions
        real, failures = functions[Kind.BLOB], []

        def fail_once(entry):
            if not failures:
                failures.append(entry)
                raise OSError("the disk is sulking")
            return real(entry)

        self.house.scheduler._functions = {**functions, Kind.BLOB: fail_once}
        self.pass_time(1500)
        self.assertEqual(len(failures), 1)
        self.assertFalse(self.is_stored(self.blob))
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_stopped(self) -> None:
        """After the end nothing goes, and no timer is left."""
        self.house.get(self.target)
        self.ok(self.house.scheduler.stopService())
        timers = len(self.house.timers())
        self.pass_time(5000)
        self.assertTrue(self.is_stored(self.blob))
        self.assertEqual(len(self.house.timers()), timers)
        self.house.scheduler.startService()

    def test_stopped_while_it_looks(self) -> None:
        """The look through the tree is given up at the end, without a word."""
        self.ok(self.house.scheduler.stopService())
        self.house.rebuild._inventory = _Endless()
        self.house.scheduler.startService()
        self.ok(self.house.scheduler.stopService())
        self.assertEqual(self.flushLoggedErrors(), [])
        self.house.scheduler.startService()

    def test_used_since(self) -> None:
        """What was used after it was found due stays."""
        self.house.get(self.target)
        (entry,) = self.ok(self.house.ledger.entries())
        self.pass_time(500)
        self.house.get(self.target)
        self.assertFalse(self.ok(self.house.ledger.claim(entry=entry)))
        self.pass_time(800)
        self.assertTrue(self.is_stored(self.blob))

    def test_pinned_images_stay(self) -> None:
        """A pinned image keeps its tag, manifest and blobs, unpinned it goes."""
        layer = b"layer" * 10
        blob = self.house.upstream.add_blob("a", layer)
        digest = self.house.upstream.add_manifest("a", image(layer), "v1")
        self.ok(self.house.pin_list.pin("upstream.example/a:v1"))
        self.house.get("/v2/a/manifests/v1")
        self.house.get(f"/v2/a/blobs/{blob}")
        self.house.get(self.target)
        self.pass_time(3 * TTL)
        self.assertFalse(self.is_stored(self.blob))
        self.assertTrue(self.is_stored(blob))
        self.assertTrue(self.is_stored(digest))
        link = layout.tag_current(RepositoryName("a"), Tag.parse("v1"))
        self.assertIn(link, self.house.paths())
        self.ok(self.house.pin_list.unpin("upstream.example/a:v1"))
        self.pass_time(3 * TTL)
        left = [x for x in self.house.paths() if x != layout.PINS]
        self.assertEqual(left, [])


class _Endless:
    async def found(self):
        from twisted.internet.defer import Deferred

        await Deferred()
        yield None

    async def orphans(self, before):
        return
        yield None
