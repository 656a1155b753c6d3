"""What is there is reconciled with what is recorded."""

from __future__ import annotations

import json

from tests.expiry.test_expiry import TTL, ExpiryCase
from txregistry.interfaces.driver import DriverError
from txregistry.interfaces.expiry import Entry, EntryKey, Kind
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName
from txregistry.storage.tree import layout
from txregistry.testing.house import TestHouse
from txregistry.testing.repositories import image_manifest


class RebuildTests(ExpiryCase):
    """The tree, the ledger, and the state file of the Go registry."""

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

    def test_orphans_of_an_earlier_process(self) -> None:
        """What a crash left without a link a moment ago goes at the next start."""
        left = Digest.of(b"left")
        self.ok(self.house.driver.put(layout.blob_data(left), b"left"))
        self.house.clock.advance(1)
        again = TestHouse(clock=self.house.clock, driver=self.house.driver, ttl=TTL)
        self.ok(again.rebuild.run())
        self.assertFalse(self.is_stored(left))

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

    def test_known_uses_stay(self) -> None:
        """What the ledger knows already keeps its last use."""
        self.house.get(self.target)
        began = self.house.clock.seconds()
        self.pass_time(500)
        self.ok(self.house.rebuild.run())
        (entry,) = self.ok(self.house.ledger.entries())
        self.assertEqual(entry.last_use, began)

    def test_an_old_state_file(self) -> None:
        """A file tells how long things had been unused when it was written, no more."""
        self.successResultOf(self.house.scheduler.stopService())
        self.house.get(self.target)
        self.pass_time(500)
        self.ok(self.house.rebuild.export_state())
        self.pass_time(5000)
        again = TestHouse(clock=self.house.clock, driver=self.house.driver, ttl=TTL)
        self.ok(again.rebuild.run())
        (entry,) = self.ok(again.ledger.entries())
        self.assertAlmostEqual(self.house.clock.seconds() - entry.last_use, 500, 0)

    def stored(self) -> int:
        return self.ok(self.house.ledger.stored())

    def test_sizes_are_corrected(self) -> None:
        """What has gone, or was never measured, is counted as it is."""
        self.house.get(self.target)
        other = self.house.upstream.add_blob("a", b"other" * 10)
        self.house.get(f"/v2/a/blobs/{other}")
        self.assertEqual(self.stored(), len(self.content) + 50)
        self.ok(self.house.driver.delete(layout.blob_data(other)))
        self.pass_time(10)
        self.ok(self.house.rebuild.run())
        self.assertEqual(self.stored(), len(self.content))
        (entry,) = self.ok(self.house.ledger.held(digest=self.blob))
        self.ok(self.house.ledger.measured({entry.key.reference: 7}, before=1e12))
        self.assertEqual(self.stored(), 7)
        self.ok(self.house.rebuild.run())
        self.assertEqual(self.stored(), len(self.content))

    def test_many_sizes(self) -> None:
        """Whatever is missing or wrong among many is found, page by page."""
        digests = []
        for number in range(250):
            content = b"%d" % number * 10
            digest = self.house.upstream.add_blob("a", content)
            self.house.get(f"/v2/a/blobs/{digest}")
            digests.append(digest)
        self.pass_time(10)
        before = self.stored()
        for digest in digests[::7]:
            self.ok(self.house.driver.delete(layout.blob_data(digest)))
        lost = sum(len(b"%d" % number * 10) for number in range(0, 250, 7))
        self.ok(self.house.rebuild.run())
        self.assertEqual(self.stored(), before - lost)

    def test_what_is_new_is_not_measured(self) -> None:
        """A manifest is recorded before it is stored: it is counted meanwhile."""
        key = EntryKey(RepositoryName("a"), Kind.MANIFEST, str(Digest.of(b"new")))
        self.house.ledger.add(Entry(key, 3, self.house.clock.seconds()))
        self.ok(self.house.rebuild.run())
        self.assertEqual(self.stored(), 3)

    def test_no_expiry(self) -> None:
        """Where nothing expires, no state file is written."""
        house = TestHouse(ttl=0.0)
        self.ok(house.rebuild.export_state())
        self.assertEqual(house.paths(), [])

    def test_links_that_cannot_be_read(self) -> None:
        """Where links are unknown, nothing is taken for an orphan; it is logged."""
        old = Digest.of(b"old")
        self.ok(self.house.driver.put(layout.blob_data(old), b"old"))
        self.pass_time(4000)

        class Unreadable:
            """An inventory of a tree with a directory that cannot be read."""

            async def found(self):
                return
                yield None

            async def contents(self):
                return
                yield None

            async def orphans(self, before):
                raise DriverError("inmemory", layout.REPOSITORIES, "I/O error")
                yield None

        self.house.rebuild._inventory = Unreadable()
        self.ok(self.house.rebuild.run())
        self.assertTrue(self.is_stored(old))
