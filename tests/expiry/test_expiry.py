"""Expiry on a clock: every rule of what goes and what stays."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from txregistry.expiry.plan import ExpiryPlan
from txregistry.flow.streams import BoundedConsumer
from txregistry.interfaces.driver import DriverError
from txregistry.interfaces.expiry import Entry, EntryKey, Kind
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName
from txregistry.storage.content.damage import Damage
from txregistry.storage.tree import layout
from txregistry.testing.house import TestHouse
from txregistry.testing.repositories import image_manifest
from txregistry.testing.upstream import Fault

TTL = 1000.0


class ExpiryTests(SynchronousTestCase):
    """A cache that keeps things for a thousand seconds after their last use."""

    def setUp(self) -> None:
        self.house = TestHouse(ttl=TTL)
        self.house.scheduler.startService()
        self.content = b"layer" * 1000
        self.blob = self.house.upstream.add_blob("a", self.content)
        self.house.upstream.add_blob("b/c", self.content)
        self.target = f"/v2/a/blobs/{self.blob}"

    def tearDown(self) -> None:
        self.successResultOf(self.house.scheduler.stopService())

    def pass_time(self, seconds: float) -> None:
        while seconds > 0:
            self.house.clock.advance(min(seconds, 50))
            seconds -= 50

    def is_stored(self, digest: Digest) -> bool:
        return layout.blob_data(digest) in self.house.paths()

    def local(self, name: str):
        found = self.house.local.repository(RepositoryName(name))
        return self.successResultOf(found)

    def test_unused_content_goes(self) -> None:
        """After the time to live, data, links and directories are gone."""
        self.house.get(self.target)
        self.pass_time(TTL - 100)
        self.assertTrue(self.is_stored(self.blob))
        self.pass_time(250)
        self.assertEqual(self.house.paths(), [])
        evicted = self.house.count(
            "registry_proxy_evicted_bytes_total",
            type="blob",
            upstream="upstream.example",
        )
        self.assertEqual(evicted, len(self.content))

    def test_use_counts(self) -> None:
        """The time to live counts from the last use."""
        self.house.get(self.target)
        for _ in range(5):
            self.pass_time(TTL - 200)
            self.house.get(self.target)
        self.assertEqual(self.house.upstream.count("GET", "/blobs/"), 1)

    def test_shared_content_stays(self) -> None:
        """Data goes only when no repository links it any more."""
        self.house.get(self.target)
        self.pass_time(600)
        self.house.get(f"/v2/b/c/blobs/{self.blob}")
        self.pass_time(600)
        self.assertTrue(self.is_stored(self.blob))
        held = layout.layer_link(RepositoryName("a"), self.blob)
        self.assertNotIn(held, self.house.paths())
        got = self.house.get(f"/v2/b/c/blobs/{self.blob}")
        self.assertEqual(got.body, self.content)
        self.pass_time(1200)
        self.assertEqual(self.house.paths(), [])

    def test_what_is_being_read_stays(self) -> None:
        """A reader keeps content, and the repository's link to it."""
        self.house.get(self.target)
        reader = self.successResultOf(self.local("a").blobs.open(digest=self.blob))
        self.pass_time(5000)
        self.assertTrue(self.is_stored(self.blob))
        consumer = BoundedConsumer(10_000)
        self.successResultOf(reader.read(consumer=consumer))
        self.assertEqual(consumer.content, self.content)
        reader.close()
        self.pass_time(1200)
        self.assertFalse(self.is_stored(self.blob))

    def test_reader_that_comes_while_it_goes(self) -> None:
        """Data that is read at the last moment goes at the next occasion."""
        self.house.get(self.target)
        release = self.house.content.leases.take(self.blob)
        entry = Entry(
            EntryKey(RepositoryName("a"), Kind.BLOB, str(self.blob)), 5000, 0.0
        )
        done = self.house.scheduler._functions[Kind.BLOB](entry)
        self.successResultOf(done)
        self.assertTrue(self.is_stored(self.blob))
        release()
        self.pass_time(1500)
        self.assertEqual(self.house.paths(), [])

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

    def test_orphans_are_swept_at_the_start(self) -> None:
        """Content that a crash left without a link goes, once it is not young."""
        young = Digest.of(b"young")
        old = Digest.of(b"old")
        self.ok(self.house.driver.put(layout.blob_data(old), b"old"))
        self.house.get(self.target)
        self.pass_time(900)
        self.house.get(self.target)
        self.pass_time(900)
        self.house.get(self.target)
        self.pass_time(900)
        self.house.get(self.target)
        self.pass_time(950)
        self.ok(self.house.driver.put(layout.blob_data(young), b"young"))
        self.ok(self.house.rebuild.run())
        self.assertFalse(self.is_stored(old))
        self.assertTrue(self.is_stored(young))
        self.assertTrue(self.is_stored(self.blob))

    def ok(self, done):
        return self.successResultOf(done)

    def test_expired_content_is_fetched_again(self) -> None:
        """What has gone comes back whole when it is asked for."""
        self.house.get(self.target)
        self.pass_time(1500)
        got = self.house.get(self.target)
        self.assertEqual((got.status, got.body), (200, self.content))

    def test_manifests_and_tags_go(self) -> None:
        """A manifest goes with its tags, and leaves no directory behind."""
        self.house.upstream.add_manifest("a", image_manifest(), "v1", "v2")
        self.house.get("/v2/a/manifests/v1")
        self.house.get("/v2/a/manifests/v2")
        self.pass_time(1500)
        self.assertEqual(self.house.paths(), [])

    def test_tag_goes_and_its_manifest_stays_in_use(self) -> None:
        """A tag nobody asks for goes; the manifest has a life of its own."""
        digest = self.house.upstream.add_manifest("a", image_manifest(), "v1")
        self.house.get("/v2/a/manifests/v1")
        for _ in range(3):
            self.pass_time(600)
            self.house.get(f"/v2/a/manifests/{digest}")
        name = RepositoryName("a")
        self.assertNotIn(layout.tag_current(name, _tag("v1")), self.house.paths())
        self.assertIn(layout.revision_link(name, digest), self.house.paths())

    def test_changed_ttl_holds_for_what_is_there(self) -> None:
        """A shorter time to live applies at once to everything."""
        self.house.get(self.target)
        self.pass_time(300)
        self.successResultOf(self.house.scheduler.stopService())
        object.__setattr__(self.house.scheduler._plan, "ttl_seconds", 200.0)
        self.house.scheduler.startService()
        self.pass_time(150)
        self.assertFalse(self.is_stored(self.blob))

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

    def test_caches_are_cleared_first(self) -> None:
        """No descriptor of what has gone is remembered."""
        self.house.get(self.target)
        self.house.get(f"/v2/b/c/blobs/{self.blob}")
        self.pass_time(1500)
        self.house.upstream.faults.append(Fault("/blobs/", times=9, status=404))
        for name in ("a", "b/c"):
            self.assertEqual(
                self.house.head(f"/v2/{name}/blobs/{self.blob}").status, 404
            )

    def test_what_came_without_a_ledger_begins_its_life(self) -> None:
        """A tree that the ledger does not know is recorded, and expires in its time."""
        self.house.get(self.target)
        again = TestHouse(clock=self.house.clock, driver=self.house.driver, ttl=TTL)
        again.scheduler.startService()
        (entry,) = self.successResultOf(again.ledger.entries())
        self.assertEqual(entry.key.reference, str(self.blob))
        self.assertEqual(entry.size, len(self.content))
        self.assertEqual(entry.last_use, self.house.clock.seconds())
        self.successResultOf(again.scheduler.stopService())

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

    def test_state_file_is_imported(self) -> None:
        """Distribution's state file says when things are due."""
        self.successResultOf(self.house.scheduler.stopService())
        self.house.get(self.target)
        due = "2023-11-14T22:18:20.123456789+00:00"  # 300 s after the clock began
        key = f"a@{self.blob}"
        state = {key: {"Key": key, "ExpiryData": due, "EntryType": 0}}
        state["sha256:legacy"] = {"Key": "x", "ExpiryData": due, "EntryType": 0}
        again = self.again(json.dumps(state).encode())
        again.scheduler.startService()
        (entry,) = self.successResultOf(again.ledger.entries())
        self.assertAlmostEqual(entry.last_use, 1_700_000_300.123456 - TTL, places=3)
        again.clock.advance(100)
        again.clock.advance(100)
        again.clock.advance(100)
        again.clock.advance(100)
        self.assertFalse(self.is_stored(self.blob))
        self.successResultOf(again.scheduler.stopService())

    def test_broken_state_file_is_set_aside(self) -> None:
        """An empty or truncated state file is no reason not to start."""
        for content in (b"", b'{"a'):
            again = self.again(content)
            again.scheduler.startService()
            self.assertIn("/scheduler-state.json.corrupt", again.paths())
            self.assertNotIn("/scheduler-state.json", again.paths())
            self.successResultOf(again.scheduler.stopService())

    def test_state_file_is_written(self) -> None:
        """On a clean stop the state is left in distribution's form."""
        digest = self.house.upstream.add_manifest("a", image_manifest(), "v1")
        self.house.get(self.target)
        self.house.get("/v2/a/manifests/v1")
        self.successResultOf(self.house.rebuild.export_state())
        content = self.successResultOf(self.house.driver.get("/scheduler-state.json"))
        state = json.loads(content)
        types = {key: value["EntryType"] for key, value in state.items()}
        self.assertEqual(types, {f"a@{self.blob}": 0, f"a@{digest}": 1})
        for key, value in state.items():
            self.assertEqual(value["Key"], key)
            self.assertTrue(value["ExpiryData"].startswith("2023-11-14T22:30:0"))

    def again(self, state: bytes) -> TestHouse:
        driver = self.house.driver
        self.successResultOf(driver.put("/scheduler-state.json", state))
        return TestHouse(clock=self.house.clock, driver=driver, ttl=TTL)


class _Endless:
    async def found(self):
        from twisted.internet.defer import Deferred

        await Deferred()
        yield None

    async def orphans(self, before):
        return
        yield None


def _tag(text: str):
    from txregistry.spec.reference import Tag

    return Tag(text)
