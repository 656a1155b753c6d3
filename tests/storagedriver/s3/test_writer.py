"""How files are written."""

from __future__ import annotations

import hashlib
from typing import Any

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from tests.storagedriver.s3.case import StoreCase
from txregistry.interfaces.driver import DriverError

MIB = 1024 * 1024


@implementer(IPushProducer)
class Source:
    """Knows what it was told."""

    def __init__(self) -> None:
        self.paused, self.stopped = False, False

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused = False

    def stopProducing(self) -> None:
        self.stopped = True


class WriterTests(StoreCase):
    """A writer of an object."""

    def writer(self, **more: Any) -> Any:
        return self.ok(self.driver.writer("/w", **more))

    def test_back_pressure(self) -> None:
        """With a part on its way and the next one full, the producer waits."""
        self.use(chunksize=5 * MIB)
        writer, source = self.writer(), Source()
        writer.registerProducer(source, True)
        written = 0
        while not source.paused:
            writer.write(bytes(MIB))
            written += 1
            assert written < 20
        self.assertEqual(written, 10)
        self.place.pump()
        self.assertFalse(source.paused)
        self.ok(writer.commit())
        self.assertEqual(len(self.store.objects["w"]), 10 * MIB)

    def test_failure(self) -> None:
        """A part that cannot be stored stops the producer; all later calls say so."""
        self.use(chunksize=5 * MIB)
        writer, source = self.writer(), Source()
        writer.registerProducer(source, True)
        self.store.broken = [(403, b"")]
        writer.write(bytes(6 * MIB))
        self.place.pump()
        self.assertTrue(source.stopped)
        for done in (writer.flush(), writer.flush(True), writer.commit()):
            self.assertEqual(self.fails(done, DriverError).reason, "403")
        self.fails(writer.close(), DriverError)
        self.ok(writer.cancel())

    def test_taken_over(self) -> None:
        """Another node has gone on: the upload is not there any more."""
        self.use(chunksize=5 * MIB)
        writer = self.writer()
        writer.write(bytes(5 * MIB))
        self.place.pump()
        self.store.uploads.clear()
        writer.write(bytes(5 * MIB))
        error = self.fails(writer.close(), DriverError)
        self.assertEqual(error.reason, "the upload is gone")

    def test_hash(self) -> None:
        """The hash has all that was written, and nothing that was kept."""
        hasher = hashlib.sha256()
        writer = self.writer(hasher=hasher)
        writer.write(b"ab")
        writer.write(b"c")
        self.ok(writer.flush())
        self.assertEqual(hasher.hexdigest(), hashlib.sha256(b"abc").hexdigest())

    def test_durable_flush(self) -> None:
        """What was flushed durably is found by others, and may grow."""
        writer = self.writer()
        writer.write(b"one")
        self.ok(writer.flush(durable=True))
        self.ok(writer.flush(durable=True))
        (began,) = self.store.uploads.values()
        self.assertEqual(began.parts, {1: b"one"})
        self.assertEqual(sum("partNumber" in line for line in self.store.asked), 1)
        writer.write(b"two")
        self.ok(writer.close())
        self.assertEqual(began.parts, {1: b"onetwo"})

    def test_truncated(self) -> None:
        """Of a longer file, its beginning can be kept without writing more."""
        self.store.objects["w"] = b"keep and drop"
        self.ok(self.writer(keep_bytes=4).commit())
        self.assertEqual(self.store.objects, {"w": b"keep"})

    def test_unchanged(self) -> None:
        """A file all of which is kept stays as it is."""
        self.store.objects["w"] = b"keep"
        self.ok(self.writer(keep_bytes=4).close())
        self.ok(self.writer(keep_bytes=4).commit())
        self.assertEqual(self.store.objects, {"w": b"keep"})
        self.assertEqual(self.store.uploads, {})

    def test_cancel_in_mid_part(self) -> None:
        """What is under way ends, then all goes."""
        self.use(chunksize=5 * MIB)
        writer = self.writer()
        writer.write(bytes(6 * MIB))
        self.ok(writer.cancel())
        self.assertEqual((self.store.uploads, self.store.objects), ({}, {}))
        writer.write(b"late")
        self.fails(writer.flush(), DriverError)

    def test_many_writers(self) -> None:
        """Many share the memory: their parts are smaller, but for the smallest."""
        self.use(chunksize=16 * MIB)
        writers = [self.writer() for _ in range(20)]
        self.assertEqual(writers[0]._part.wanted, 16 * MIB)
        self.assertEqual(writers[-1]._part.wanted, 5 * MIB)
        for writer in writers:
            self.ok(writer.cancel())
