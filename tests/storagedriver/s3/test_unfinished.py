"""Files that are gone on with."""

from __future__ import annotations

from unittest.mock import patch

from tests.storagedriver.s3.case import StoreCase
from txregistry.flow.streams import BoundedConsumer
from txregistry.interfaces.driver import DriverError, MoveFile
from txregistry.storagedriver.s3.answers import Part
from txregistry.storagedriver.s3.multipart import Multiparts, Unfinished
from txregistry.storagedriver.s3.unfinished import Found

MIB = 1024 * 1024
UPLOAD = "/docker/registry/v2/repositories/a/_uploads/u/data"


class UnfinishedTests(StoreCase):
    """Uploads in several requests, by several processes."""

    def test_upload_goes_on(self) -> None:
        """What was closed is found by another process, and goes on there."""
        sizes = (1000, 6 * MIB, 6 * MIB, 17 * MIB)
        kept, content = 0, bytes(range(256)) * (17 * MIB // 256)
        for size in sizes:
            other = self.place.driver
            writer = self.ok(other.writer(UPLOAD, kept))
            writer.write(content[kept:size])
            self.ok(writer.close())
            self.assertEqual(self.ok(other.stat(UPLOAD)).size, size)
            self.assertEqual(len(self.store.uploads), 1)
            self.assertEqual(self.store.objects, {})
            kept = size
        self.ok(self.driver.apply([MoveFile(UPLOAD, "/blob", sync=True)]))
        self.assertTrue(self.store.objects == {"blob": content})
        self.assertEqual(self.store.uploads, {})

    def test_upload_can_be_read(self) -> None:
        """To hash it anew it is made an object, and goes on all the same."""
        writer = self.ok(self.driver.writer(UPLOAD))
        writer.write(b"one")
        self.ok(writer.close())
        consumer = BoundedConsumer(100)
        reader = self.ok(self.driver.reader(UPLOAD))
        self.ok(reader.read(consumer))
        self.assertEqual(consumer.content, b"one")
        writer = self.ok(self.driver.writer(UPLOAD, 3))
        writer.write(b"two")
        self.ok(writer.close())
        self.assertEqual(self.ok(self.driver.stat(UPLOAD)).size, 6)

    def test_very_many_parts(self) -> None:
        """There are numbers left for what is still to come."""
        unfinished = self.driver._parts.unfinished
        for count, takes_more in ((5000, True), (5001, False)):
            parts = tuple(Part(n + 1, "e", 5 * MIB) for n in range(count))
            found = Found(None, Unfinished("k", "u", parts, 0.0))
            self.assertEqual(unfinished.adopt(found).takes_more, takes_more)

    def test_nothing_was_written(self) -> None:
        """An upload without a byte becomes an object that is made as all are."""
        self.use(encrypt=True)
        self.ok(self.ok(self.driver.writer(UPLOAD)).close())
        self.ok(self.driver.move(UPLOAD, "/b"))
        self.assertEqual((self.store.objects, self.store.uploads), ({"b": b""}, {}))
        made = [h for h in self.store.headers if h.get("content-length") == "0"]
        kinds = {h.get("x-amz-server-side-encryption") for h in made}
        self.assertEqual(kinds, {"AES256"})

    def test_copy_that_fails(self) -> None:
        """An upload that could not begin with what was there is no upload."""
        key = UPLOAD[1:]
        self.store.objects[key] = bytes(6 * MIB)
        writer = self.ok(self.driver.writer(UPLOAD, 6 * MIB))
        writer.write(b"more")
        denied = b"<Error><Code>AccessDenied</Code></Error>"
        copy = self.driver._parts.multiparts.copy

        def broken(*args: object) -> object:
            self.store.broken = [(403, denied)]
            return copy(*args)

        with patch.object(Multiparts, "copy", lambda _, *args: broken(*args)):
            self.failureResultOf(writer.close(), DriverError)
        self.place.pump()
        self.assertEqual(self.store.uploads, {})
        self.assertEqual(self.ok(self.driver.stat(UPLOAD)).size, 6 * MIB)

    def test_upload_of_docker_registry(self) -> None:
        """It leaves an object beside an upload that begins with a copy of it."""
        key = UPLOAD[1:]
        self.store.objects[key] = b"old"
        self.ok(self.driver._parts.multiparts.begin(key))
        (began,) = self.store.uploads.values()
        self.assertEqual(self.ok(self.driver.stat(UPLOAD)).size, 3)
        began.parts[1] = b"old and new"
        self.assertEqual(self.ok(self.driver.stat(UPLOAD)).size, 11)
        self.ok(self.driver.move(UPLOAD, "/b"))
        self.assertEqual(self.store.objects, {"b": b"old and new"})
