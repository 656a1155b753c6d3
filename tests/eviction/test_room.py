"""Room is made before something is stored."""

from __future__ import annotations

import sqlite3

import attrs
from twisted.internet.defer import CancelledError, Deferred
from zope.interface.verify import verifyObject

from tests.eviction.case import SIZE, RoomCase
from tests.eviction.test_closure import image
from txregistry.eviction.evictor import Evictor
from txregistry.eviction.plan import SpacePlan
from txregistry.eviction.room import Room
from txregistry.expiry import ledger_sqlite
from txregistry.interfaces.blobs import BlobMount
from txregistry.interfaces.eviction import IEvictionPlan, IRoom, Limit, Stays
from txregistry.interfaces.expiry import Stored
from txregistry.spec.digest import Digest
from txregistry.spec.errors import CacheFull
from txregistry.spec.globs import Glob
from txregistry.spec.manifest import lenient
from txregistry.spec.reference import RepositoryName, Tag
from txregistry.spec.space import MinFree
from txregistry.storage.tree import layout
from txregistry.testing.house import ONE_UPSTREAM
from txregistry.testing.upstream import Fault


class SizeTests(RoomCase):
    """At most five blobs."""

    def test_provides_the_interfaces(self) -> None:
        """It is a room, and tells its plan."""
        verifyObject(IRoom, self.house.room)
        verifyObject(IEvictionPlan, self.house.room)

    def test_least_recently_used_go(self) -> None:
        """What was not used for longest goes, and comes again when it is asked for."""
        blobs = [self.offer() for _ in range(6)]
        for blob in blobs[:5]:
            self.pull(blob)
        self.pull(blobs[0])
        self.pull(blobs[5])
        self.assertEqual(self.stored(blobs), [True, False, True, True, True, True])
        self.assertFalse(self.is_linked(blobs[1]))
        self.assertEqual(self.taken(), 5 * SIZE)
        self.pull(blobs[1])
        self.assertEqual(self.house.upstream.count("GET", str(blobs[1])), 2)
        self.assertFalse(self.is_stored(blobs[2]))
        labels = {"type": "blob", "upstream": "upstream.example"}
        made = [
            self.house.count(f"registry_proxy_made_room{name}_total", **labels)
            for name in ("", "_bytes")
        ]
        self.assertEqual(made, [2, 2 * SIZE])

    def test_shared_blobs(self) -> None:
        """A blob goes from all its repositories at once, by its latest use."""
        blobs = [self.offer() for _ in range(5)]
        self.house.upstream.add_blob("b", self.contents[blobs[0]])
        self.house.upstream.add_blob("b", self.contents[blobs[1]])
        for blob in blobs:
            self.pull(blob)
        self.pull(blobs[0], "b")
        self.assertEqual(self.taken(), 5 * SIZE)
        self.pull(blobs[1])
        self.pull(blobs[1], "b")
        self.pull(self.offer(2 * SIZE))
        self.assertEqual(self.stored(blobs), [True, True, False, False, True])
        for _ in range(3):
            self.pull(self.offer(SIZE))
        self.assertFalse(self.is_linked(blobs[0], "a"))
        self.assertFalse(self.is_linked(blobs[0], "b"))

    def test_too_large(self) -> None:
        """For what would never fit nothing goes; its client gets it all the same."""
        blobs = [self.offer() for _ in range(4)]
        for blob in blobs:
            self.pull(blob)
        large = self.offer(5 * SIZE + 1)
        self.assertNotIn("stored", self.pull(large).header("Cache-Status"))
        self.assertEqual(self.stored([*blobs, large]), [True] * 4 + [False])
        self.assertEqual(self.house.paths().count(layout.fill_data(large)), 0)

    def test_readers(self) -> None:
        """What somebody reads stays, also if nothing else could go."""
        blobs = [self.offer() for _ in range(5)]
        for blob in blobs:
            self.pull(blob)
        releases = [self.house.content.leases.take(blob) for blob in blobs[:4]]
        new, another = self.offer(), self.offer(2 * SIZE)
        self.pull(another)
        self.assertEqual(self.stored([*blobs, another]), [True] * 5 + [False])
        self.pull(new)
        self.assertEqual(self.stored([*blobs, new]), [True] * 4 + [False, True])
        for release in releases:
            release()
        self.pull(another)
        self.assertTrue(self.is_stored(another))

    def test_followers(self) -> None:
        """So does what a client still reads from the file of its download."""
        blob, name = self.offer(), RepositoryName("a")
        found = self.house.settle(self.house.proxy.repository(name))
        reader = self.house.settle(found.blobs.open(digest=blob))
        for _ in range(5):
            self.house.pump()
            self.house.clock.advance(1)
        self.assertTrue(self.is_stored(blob))
        for _ in range(6):
            self.pull(self.offer())
        self.assertTrue(self.is_stored(blob))
        reader.close()
        for _ in range(6):
            self.pull(self.offer())
        self.assertFalse(self.is_stored(blob))

    def test_side_by_side(self) -> None:
        """Downloads that run together have room together, or are passed through."""
        self.house.upstream.rate = SIZE
        blobs = [self.offer() for _ in range(8)]
        asked = [self.house.ask("GET", f"/v2/a/blobs/{blob}") for blob in blobs]
        most, answers = 0, {}
        for blob, done in zip(blobs, asked, strict=True):
            done.addBoth(lambda got, blob=blob: answers.update({blob: got}))
        while len(answers) < len(blobs):
            self.house.pump()
            self.house.clock.advance(0.05)
            most = max(most, self.house.room._reservations.reserved)
        for blob in blobs:
            self.assertEqual(answers[blob].body, self.contents[blob])
        self.assertEqual(most, 5 * SIZE)
        self.assertEqual(sum(self.stored(blobs)), 5)

    def test_unknown_size(self) -> None:
        """A download without a length counts as it grows."""
        blobs = [self.offer() for _ in range(5)]
        for blob in blobs:
            self.pull(blob)
        new = self.offer(2 * SIZE)
        self.house.upstream.faults.append(Fault(str(new), announce=-1))
        self.pull(new)
        self.house.clock.advance(10)
        self.assertLessEqual(self.taken(), 5 * SIZE)

    def leave_a_part(self) -> Digest:
        """Let an outage cut off a blob that fills the cache."""
        large = self.offer(200_000)
        self.limit(SpacePlan(200_000))
        faults = self.house.upstream.faults
        faults.append(Fault(str(large), cut_after=120_000))
        faults.append(Fault(str(large), times=99, status=500))
        self.assertTrue(self.house.get(f"/v2/a/blobs/{large}").broken)
        faults.clear()
        return large

    def test_parts_count(self) -> None:
        """What an outage left counts at its announced size, and goes last."""
        large = self.leave_a_part()
        self.assertEqual(self.house.room._reservations.idle, {large: 200_000})
        self.plan = SpacePlan(200_000)
        house, self.house = self.house, self.make()
        house.settle(house.room.stopService())
        house.settle(house.scheduler.stopService())
        self.assertEqual(self.house.room._reservations.idle, {large: 200_000})
        self.house.upstream.blobs = house.upstream.blobs
        self.pull(large)
        self.assertEqual(self.house.room._reservations.idle, {})
        self.assertEqual(self.taken(), 200_000)

    def test_parts_go(self) -> None:
        """Room is made of them when nothing else is left."""
        large = self.leave_a_part()
        self.assertIn(layout.fill_data(large), self.house.paths())
        self.pull(self.offer())
        self.assertNotIn(layout.fill_data(large), self.house.paths())
        self.assertEqual(self.house.room._reservations.idle, {})

    def test_own_part(self) -> None:
        """No room is made of the part of the blob that asks for it."""
        large, room = self.leave_a_part(), self.house.room
        self.limit(SpacePlan(300_000))
        cached = self.offer(50_000)
        self.pull(cached)
        release = self.house.content.leases.take(cached)
        self.failureResultOf(room.reserve(digest=large, size=280_000), CacheFull)
        self.assertIn(layout.fill_data(large), self.house.paths())
        made = self.successResultOf(room.reserve(digest=large, size=250_000))
        self.assertEqual(self.taken() + room._reservations.reserved, 300_000)
        made.release(0)
        release()

    def test_part_of_another(self) -> None:
        """What somebody has open is no room: nothing is admitted on it."""
        large, room = self.leave_a_part(), self.house.room
        part = self.successResultOf(self.house.partials.open(digest=large))
        one = Digest.of(b"another")
        self.failureResultOf(room.reserve(digest=one, size=SIZE), CacheFull)
        self.assertEqual(room._reservations.idle, {large: 200_000})
        self.successResultOf(part.cancel())

    def test_before_the_scan(self) -> None:
        """Nothing goes before it is known who links what."""
        blobs = [self.offer() for _ in range(6)]
        for blob in blobs[:5]:
            self.pull(blob)
        self.house.scheduler._rebuilt_generation = None
        self.pull(blobs[5])
        self.assertEqual(self.stored(blobs), [True] * 5 + [False])
        self.house.scheduler._rebuilt_generation = self.house.ledger.generation

    def test_smaller_limit(self) -> None:
        """A limit that was lowered holds within seconds."""
        blobs = [self.offer() for _ in range(5)]
        for blob in blobs:
            self.pull(blob)
        self.limit(SpacePlan(2 * SIZE))
        self.house.clock.advance(5)
        self.assertEqual(self.stored(blobs), [False] * 3 + [True] * 2)

    def test_much_to_delete(self) -> None:
        """Downloads have their turns while much is deleted."""
        blobs = [self.offer() for _ in range(5)]
        for blob in blobs:
            self.pull(blob)
        room = self.house.room
        evict, look = type(room._freeing.evictor).evict, type(room)._look
        steps: list[str] = []

        def slow(evictor: Evictor, stored: Stored) -> Deferred[int]:
            self.house.clock.rightNow += 0.6
            steps.append("delete")
            return evict(evictor, stored)

        def counted(found: Room) -> Deferred[bool]:
            steps.append("turn")
            return look(found)

        self.patch(type(room._freeing.evictor), "evict", slow)
        self.patch(type(room), "_look", counted)
        self.limit(SpacePlan(SIZE))
        self.house.clock.advance(5)
        turn = ["turn", "delete", "delete"]
        self.assertEqual(steps[:6], turn * 2)
        self.assertEqual(self.stored(blobs), [False] * 4 + [True])

    def test_ledger_that_cannot_be_written(self) -> None:
        """On a disk that is full to the last byte room can still be made."""
        blobs = [self.offer() for _ in range(6)]
        for blob in blobs[:5]:
            self.pull(blob)
        self.taken()

        def refuse(*_: object) -> None:
            raise sqlite3.OperationalError("database or disk is full")

        patches = [
            self.patch(ledger_sqlite, name, refuse) for name in ("_claim", "_write")
        ]
        self.limit(SpacePlan(3 * SIZE))
        self.house.clock.advance(5)
        self.assertLessEqual(sum(self.stored(blobs)), 3)
        for patch in patches:
            patch.restore()
        self.assertEqual(self.taken(), sum(self.stored(blobs)) * SIZE)

    def test_cancelled(self) -> None:
        """Who stops waiting leaves nothing behind."""
        room, one = self.house.room, Digest.of(b"1")
        turn = self.successResultOf(room._turn.acquire())
        waiting = room.reserve(digest=one, size=5)
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        turn.release()
        self.assertEqual(room._reservations.reserved, 0)
        made = self.successResultOf(room.reserve(digest=one, size=5))
        self.failureResultOf(made.grow(5 * SIZE + 1), CacheFull)
        self.successResultOf(made.grow(7))
        self.assertEqual(room._reservations.reserved, 7)
        made.release(0)

    def test_preview(self) -> None:
        """The plan tells what would go, why not, and deletes nothing."""
        blobs = [self.offer() for _ in range(3)]
        for blob in blobs:
            self.pull(blob)
        release = self.house.content.leases.take(blobs[1])
        found = self.successResultOf(self.house.room.preview(number=10))
        release()
        self.assertEqual(
            [(item.stored.reference, item.stays) for item in found.candidates],
            [
                (str(blobs[0]), None),
                (str(blobs[1]), Stays.READ),
                (str(blobs[2]), None),
            ],
        )
        self.assertEqual(found.candidates[0].repositories, ("a",))
        self.assertEqual((found.usage.stored, found.limit), (3 * SIZE, 5 * SIZE))
        self.assertIsNone(found.shortage)
        self.assertEqual(self.stored(blobs), [True] * 3)

    def test_gauges(self) -> None:
        """What is taken is measured every few seconds."""
        self.pull(self.offer())
        self.house.clock.advance(5)
        self.assertEqual(self.house.count("registry_proxy_disk_stored_bytes"), SIZE)
        limit = self.house.count("registry_proxy_disk_limit_bytes")
        self.assertEqual(limit, 5 * SIZE)


class FreeTests(RoomCase):
    """A quarter of the disk stays free."""

    plan = SpacePlan(min_free=MinFree(percent=25.0))

    def setUp(self) -> None:
        super().setUp()
        self.blobs = [self.offer() for _ in range(10)]
        for blob in self.blobs:
            self.pull(blob)
        self.house.clock.advance(5)
        self.driver.room = 4 * self.driver.used

    def test_ballast(self) -> None:
        """What others write is made up for within seconds, and comes again."""
        free = self.driver.room - self.driver.used - self.driver.room // 4
        self.driver.ballast = free + 3 * SIZE - 100
        self.house.clock.advance(5)
        self.assertEqual(self.stored(self.blobs), [False] * 3 + [True] * 7)
        self.driver.ballast = 0
        self.pull(self.blobs[0])
        self.assertTrue(self.is_stored(self.blobs[0]))

    def test_a_full_disk(self) -> None:
        """On a disk that others have filled every client gets its bytes."""
        self.driver.ballast = self.driver.room
        for blob in self.blobs:
            self.pull(blob)
        self.house.clock.advance(5)
        self.assertEqual(self.stored(self.blobs), [False] * 10)

    def test_downloads_side_by_side(self) -> None:
        """What is promised to downloads is not promised twice."""
        self.house.upstream.rate = 10 * SIZE
        quarter = self.driver.room // 4
        self.driver.ballast = self.driver.room - self.driver.used - quarter
        self.driver.ballast -= 3 * SIZE
        asked = [
            self.house.ask("GET", f"/v2/a/blobs/{self.offer(2 * SIZE)}")
            for _ in range(3)
        ]
        for done in asked:
            self.assertEqual(self.house.settle(done).status, 200)
        left = self.driver.room - self.driver.used - self.driver.ballast
        # Links take a few bytes each.
        self.assertGreaterEqual(left, quarter - SIZE)
        found = self.successResultOf(self.house.room.preview(1))
        self.assertIn(found.shortage and found.shortage.limit, (None, Limit.FREE))


class PinTests(RoomCase):
    """Images that are kept."""

    pins = ("upstream.example/a:v1",)

    def push(self, *layers: bytes, tag: str) -> None:
        for content in (*layers, b"config" + b"".join(layers)):
            digest = self.house.upstream.add_blob("a", content)
            self.contents[digest] = content
        self.house.upstream.add_manifest("a", image(*layers), tag)
        self.house.get(f"/v2/a/manifests/{tag}")
        for content in layers:
            self.pull(Digest.of(content))

    def churn(self) -> None:
        for _ in range(6):
            self.pull(self.offer())

    def test_pinned_stay(self) -> None:
        """Pinned layers stay, however long ago they were used."""
        self.push(b"1" * SIZE, tag="v1")
        self.push(b"2" * SIZE, tag="v2")
        self.churn()
        layers = [Digest.of(b"1" * SIZE), Digest.of(b"2" * SIZE)]
        self.assertEqual(self.stored(layers), [True, False])
        self.assertEqual(self.house.get("/v2/a/manifests/v2").status, 200)

    def test_list(self) -> None:
        """So do those of an administrator, until they are taken out."""
        layer = Digest.of(b"2" * SIZE)
        self.push(b"2" * SIZE, tag="v2")
        self.successResultOf(self.house.pin_list.pin("a:v2"))
        self.churn()
        self.assertTrue(self.is_stored(layer))
        self.successResultOf(self.house.pin_list.unpin("a:v2"))
        self.churn()
        self.assertFalse(self.is_stored(layer))

    def test_new_images(self) -> None:
        """An image that came since the pins were looked at is seen before it goes."""
        self.churn()
        self.push(b"1" * SIZE, tag="v1")
        layer = Digest.of(b"1" * SIZE)
        for _ in range(20):
            self.pull(self.offer())
            self.assertTrue(self.is_stored(layer))

    def test_nothing_else_left(self) -> None:
        """What is pinned does not go for anything; others are passed through."""
        self.push(*(b"%d" % n * SIZE for n in range(1, 5)), tag="v1")
        new = self.offer(3 * SIZE)
        self.pull(new)
        self.assertFalse(self.is_stored(new))
        found = self.successResultOf(self.house.room.preview(10))
        self.assertEqual({item.stays for item in found.candidates}, {Stays.PINNED})


class LocalTests(RoomCase):
    """Repositories that no upstream has."""

    more = {"table": attrs.evolve(ONE_UPSTREAM, local=(Glob.parse("team/**"),))}

    def test_local_content_stays(self) -> None:
        """What is pushed, or mounted from a cached repository, does not go."""
        local = self.successResultOf(
            self.house.local.repository(RepositoryName("team/app"))
        )
        shared = self.offer()
        self.pull(shared)
        mount = BlobMount(shared, RepositoryName("a"))
        self.successResultOf(local.blobs.create(mount=mount))
        manifest = lenient.read(image(b"x"))
        tags = [Tag.parse("v1")]
        self.successResultOf(local.manifests.put(manifest=manifest, tags=tags))
        for _ in range(8):
            self.pull(self.offer())
        self.assertTrue(self.is_stored(shared))
        self.assertTrue(self.is_stored(manifest.digest))
        self.assertLessEqual(self.taken(), 5 * SIZE)
