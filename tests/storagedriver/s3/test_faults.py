"""A store that loses a part, lists late, is away, or answers slowly."""

from __future__ import annotations

from typing import Any

from twisted.internet import error as network
from twisted.internet.defer import Deferred

from tests.storagedriver.s3.case import StoreCase
from txregistry.flow.streams import BoundedConsumer
from txregistry.interfaces.driver import (
    DriverError,
    InvalidOffset,
    PathNotFound,
    RemoveTree,
)
from txregistry.storagedriver.s3.client import STALL_SECONDS
from txregistry.storagedriver.s3.pace import PROGRESS_BYTES
from txregistry.storagedriver.s3.request import NOTHING_SHA256

MIB = 1024 * 1024
UPLOAD = "/docker/registry/v2/repositories/a/_uploads/u/data"

#: A request that fails has failed by then, unless the store took its time as well.
PATIENCE_SECONDS = 15.0


class LostPartTests(StoreCase):
    """Parts that were taken, and are not there."""

    def setUp(self) -> None:
        self.use(chunksize=5 * MIB)

    def written(self, path: str, size: int) -> Any:
        writer = self.ok(self.driver.writer(path))
        writer.write(bytes(size))
        self.place.pump()
        return writer

    def test_lost_before_the_end(self) -> None:
        """An upload whose part is gone is not committed, and leaves no file."""
        writer = self.written("/w", 11 * MIB)
        (began,) = self.store.uploads.values()
        del began.parts[1]
        error = self.fails(writer.commit(), DriverError)
        self.assertEqual(error.reason, "400 InvalidPart")
        self.fails(self.driver.stat("/w"), PathNotFound)
        self.ok(writer.cancel())
        self.assertEqual((self.store.objects, self.store.uploads), ({}, {}))

    def test_lost_in_between(self) -> None:
        """What comes after a lost part is not taken for what came before it."""
        self.ok(self.written(UPLOAD, 16 * MIB).close())
        (began,) = self.store.uploads.values()
        del began.parts[2]
        for done in (
            self.driver.stat(UPLOAD),
            self.driver.writer(UPLOAD, 11 * MIB),
            self.driver.move(UPLOAD, "/blob"),
        ):
            error = self.fails(done, DriverError)
            self.assertEqual(error.reason, "part 2 of the upload is lost")
            self.assertNotIsInstance(error, PathNotFound)
        self.assertEqual(self.store.objects, {})
        self.ok(self.driver.delete(UPLOAD.rpartition("/")[0]))
        self.assertEqual(self.store.uploads, {})

    def test_last_one_lost(self) -> None:
        """Of a lost end the size tells, from which the client goes on."""
        self.ok(self.written(UPLOAD, 11 * MIB).close())
        (began,) = self.store.uploads.values()
        del began.parts[3]
        self.assertEqual(self.ok(self.driver.stat(UPLOAD)).size, 10 * MIB)
        self.fails(self.driver.writer(UPLOAD, 11 * MIB), DriverError)

    def test_given_up_by_another(self) -> None:
        """An upload that somebody aborts is not committed, whatever stood there."""
        self.store.objects["w"] = b"as it was"
        writer = self.written("/w", 11 * MIB)
        self.store.uploads.clear()
        error = self.fails(writer.commit(), DriverError)
        self.assertEqual(error.reason, "the upload is gone")
        self.assertEqual(self.store.objects, {"w": b"as it was"})


class LateListTests(StoreCase):
    """Lists that do not have what was stored just now."""

    def setUp(self) -> None:
        super().setUp()
        self.ok(self.driver.put("/t/old/link", b"1"))
        self.ok(self.driver.put("/t/new/link", b"2"))
        self.store.late.add("t/new/link")

    def test_reading(self) -> None:
        """What was acknowledged is read all the same; only lists are late."""
        self.assertEqual(self.ok(self.driver.get("/t/new/link")), b"2")
        self.assertEqual(self.ok(self.driver.stat("/t/new/link")).size, 1)
        reader = self.ok(self.driver.reader("/t/new/link"))
        consumer = BoundedConsumer(10)
        self.ok(reader.read(consumer))
        self.assertEqual(consumer.content, b"2")
        self.assertEqual(self.ok(self.driver.list("/t")), ["/t/old"])
        self.store.late.clear()
        self.assertEqual(self.ok(self.driver.list("/t")), ["/t/new", "/t/old"])

    def test_moving(self) -> None:
        """So it is moved, and goes on under its new name."""
        self.ok(self.driver.move("/t/new/link", "/moved"))
        self.assertEqual(self.store.objects, {"moved": b"2", "t/old/link": b"1"})

    def test_deleting(self) -> None:
        """A file is deleted though no list has it; it would come back later."""
        self.ok(self.driver.delete("/t/new/link"))
        self.assertEqual(self.store.objects, {"t/old/link": b"1"})
        self.store.late.add("t/old/link")
        self.ok(self.driver.apply([RemoveTree("/t/old/link")]))
        self.assertEqual(self.store.objects, {})

    def test_uploads(self) -> None:
        """What is not listed is not gone on with, as if nothing had been there."""
        writer = self.ok(self.driver.writer(UPLOAD))
        writer.write(b"acknowledged")
        self.ok(writer.close())
        self.store.late.add(UPLOAD[1:])
        self.fails(self.driver.writer(UPLOAD, 12), InvalidOffset)
        self.store.late.clear()
        writer = self.ok(self.driver.writer(UPLOAD, 12))
        writer.write(b", and more")
        self.ok(writer.close())
        self.store.late.add(UPLOAD[1:])
        self.fails(self.driver.move(UPLOAD, "/blob"), PathNotFound)
        self.assertNotIn("blob", self.store.objects)
        self.store.late.clear()
        self.ok(self.driver.move(UPLOAD, "/blob"))
        self.assertEqual(self.store.objects["blob"], b"acknowledged, and more")


class AwayTests(StoreCase):
    """A store that nobody reaches, for longer than a request waits."""

    def away(self) -> None:
        self.place.wire.refused = network.ConnectionRefusedError()

    def back(self) -> None:
        self.place.wire.refused = None

    def test_away(self) -> None:
        """Each question ends in time, with the reason, and works when it is back."""
        self.ok(self.driver.put("/a", b"x"))
        self.away()
        for ask in (
            lambda: self.driver.get("/a"),
            lambda: self.driver.stat("/a"),
            lambda: self.driver.put("/b", b"y"),
            lambda: self.driver.list("/"),
            lambda: self.driver.delete("/a"),
            lambda: self.driver.move("/a", "/b"),
        ):
            began = self.clock.seconds()
            error = self.fails(ask(), DriverError)
            self.assertNotIsInstance(error, PathNotFound)
            self.assertIn("refused", error.reason)
            self.assertLess(self.clock.seconds() - began, PATIENCE_SECONDS)
        self.back()
        self.assertEqual(self.ok(self.driver.get("/a")), b"x")
        self.assertEqual(self.store.objects, {"a": b"x"})

    def test_away_in_an_upload(self) -> None:
        """What was stored before it went is gone on with when it is back."""
        writer = self.ok(self.driver.writer(UPLOAD))
        writer.write(b"acknowledged")
        self.ok(writer.close())
        self.away()
        self.fails(self.driver.writer(UPLOAD, 12), DriverError)
        self.back()
        self.assertEqual(self.ok(self.driver.stat(UPLOAD)).size, 12)
        writer = self.ok(self.driver.writer(UPLOAD, 12))
        writer.write(b", and more")
        self.ok(writer.commit())
        self.assertEqual(self.store.objects, {UPLOAD[1:]: b"acknowledged, and more"})

    def test_away_in_a_read(self) -> None:
        """A body that nobody can go on with breaks off; it is never short."""
        self.store.objects["a"] = bytes(MIB)
        self.store.cut = 1000
        reader = self.ok(self.driver.reader("/a"))
        self.addCleanup(reader.close)
        self.away()
        error = self.fails(reader.read(BoundedConsumer(MIB)), DriverError)
        self.assertIn("refused", error.reason)


class SlowTests(StoreCase):
    """A store that gives a byte now and then."""

    def dripping(self, done: Deferred[Any], seconds: float, count: int) -> Any:
        """Let bytes come until it ends; give its error or result, and the seconds."""
        ends: list[Any] = []
        done.addBoth(ends.append)
        began = self.clock.seconds()
        for _ in range(100):
            self.place.pump()
            if ends:
                return ends[0], self.clock.seconds() - began
            self.store.drip(count)
            self.place.pump()
            self.clock.advance(seconds)
        raise AssertionError("it never ends")

    def test_small_answer(self) -> None:
        """An answer that drips is given up, and asked for once more."""
        self.store.objects["a"], self.store.hold = bytes(1000), 1
        failure, took = self.dripping(self.driver.get("/a"), 25, 1)
        self.assertIn("no answer for 60 s", failure.value.reason)
        self.assertLess(took, 3 * STALL_SECONDS)
        self.assertEqual(len(self.store.asked), 2)

    def test_object(self) -> None:
        """So is an object that is read, which breaks off with the reason."""
        self.store.objects["a"], self.store.hold = bytes(MIB), 1
        reader = self.ok(self.driver.reader("/a"))
        self.addCleanup(reader.close)
        done = reader.read(BoundedConsumer(MIB))
        failure, took = self.dripping(done, 25, 1)
        self.assertIn("too little came in 60 s", failure.value.reason)
        self.assertLess(took, 4 * STALL_SECONDS)
        self.assertEqual(len(self.store.asked), 2)

    def completing(self) -> Deferred[Any]:
        """Begin to complete an upload, at which the store works for long."""
        parts = self.driver._parts.multiparts
        name = self.ok(parts.begin("k"))
        part = self.ok(parts.send("k", name, 1, [b""], NOTHING_SHA256))
        self.store.asked.clear()
        return parts.complete("k", name, [part])

    def test_long_completion(self) -> None:
        """A store that says that it is at work is given ten minutes."""
        self.store.working = 150
        result, took = self.dripping(self.completing(), 40, 20)
        self.assertIsNone(result)
        self.assertGreater(took, 400)
        self.assertEqual(len(self.store.asked), 1)

    def test_endless_completion(self) -> None:
        """Not for ever: then it is looked at whether the file is there."""
        self.store.working = 100
        result, took = self.dripping(self.completing(), 40, 1)
        self.assertIsNone(result)
        self.assertLess(took, 700)
        asked = [line.partition(" ")[0] for line in self.store.asked]
        self.assertEqual(asked, ["POST", "POST", "HEAD"])

    def test_silent_completion(self) -> None:
        """One that says nothing is given up like any other."""
        self.store.working = 100
        done = self.completing()
        self.place.pump()
        self.clock.advance(STALL_SECONDS)
        self.store.working = 0
        self.assertIsNone(self.later(done))

    def test_slow_but_steady(self) -> None:
        """What goes on, however long it takes, is waited for."""
        content = bytes(range(256)) * (20 * PROGRESS_BYTES // 256)
        self.store.objects["a"], self.store.hold = content, PROGRESS_BYTES
        reader = self.ok(self.driver.reader("/a"))
        self.addCleanup(reader.close)
        consumer = BoundedConsumer(MIB)
        result, took = self.dripping(reader.read(consumer), 50, PROGRESS_BYTES)
        self.assertIsNone(result)
        self.assertTrue(consumer.content == content)
        self.assertGreater(took, 900)
        self.assertEqual(len(self.store.asked), 1)
