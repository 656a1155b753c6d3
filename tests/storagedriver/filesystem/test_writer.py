"""Files that are written to, when closing them goes wrong or nobody waits for it."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from txregistry.flow.buffer_budget import BODIES
from txregistry.interfaces.driver import DriverError
from txregistry.storagedriver.filesystem import writer as writers
from txregistry.storagedriver.filesystem.appender import DIRECT_BYTES, Appender
from txregistry.storagedriver.filesystem.atomic import put_quickly, read_whole
from txregistry.storagedriver.filesystem.writer import FileWriter
from txregistry.testing.disk import QueueDisk


class PlaceTests(SynchronousTestCase):
    """Where small files are put."""

    def test_in_the_directory_of_the_process(self) -> None:
        """A name alone is a place, too."""
        name = os.path.basename(self.mktemp())
        self.addCleanup(os.unlink, name)
        put_quickly(name, b"content")
        self.assertEqual(read_whole(name), b"content")


class CloseTests(SynchronousTestCase):
    """A descriptor is closed once, on a thread, after what is being written."""

    def setUp(self) -> None:
        self.disk = QueueDisk()
        self.path = self.mktemp()
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT)
        self.writer = FileWriter(self.disk, self.path, Appender(descriptor, 0))
        self.closed: list[int] = []
        close = os.close

        def closing(descriptor: int) -> None:
            close(descriptor)
            self.closed.append(descriptor)

        self.patch(writers.os, "close", closing)

    def refuse(self) -> None:
        """Let closing fail, as on a file system of a network that is full."""
        close = os.close

        def closing(descriptor: int) -> None:
            close(descriptor)
            raise OSError(28, "No space left on device")

        self.patch(writers.os, "close", closing)

    def finish(self, done: Deferred[None]) -> Any:
        """Say how it ended: the kind of its failure, if any."""
        ended: list[Any] = []
        done.addBoth(lambda result: ended.append(getattr(result, "type", None)))
        self.disk.settle()
        (result,) = ended
        return result

    def test_on_a_thread(self) -> None:
        """The caller's does not wait for it."""
        self.writer.write(b"some")
        done = self.writer.close()
        self.disk.step()
        self.assertEqual((len(self.closed), len(self.disk.jobs)), (0, 1))
        self.assertIsNone(self.finish(done))
        self.assertEqual(len(self.closed), 1)

    def test_failure(self) -> None:
        """It is told in the terms of drivers; what is cancelled is deleted all the
        same."""
        self.refuse()
        self.writer.write(b"some")
        self.assertIs(self.finish(self.writer.close()), DriverError)
        descriptor = os.open(self.path, os.O_WRONLY)
        writer = FileWriter(self.disk, self.path, Appender(descriptor, 0))
        self.assertIs(self.finish(writer.cancel()), DriverError)
        self.assertFalse(os.path.exists(self.path))

    def test_nobody_waits(self) -> None:
        """The batch that is being written keeps its descriptor."""
        self.writer.write(b"some")
        done = self.writer.cancel()
        done.cancel()
        self.assertEqual(self.closed, [])
        self.assertIs(self.finish(done), CancelledError)
        self.assertEqual(len(self.closed), 1)
        self.assertFalse(os.path.exists(self.path))


@implementer(IPushProducer)
class Producer:
    """Remembers whether it is paused."""

    paused = False

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused = False

    def stopProducing(self) -> None:
        raise AssertionError("nothing has failed")


class RoomTests(SynchronousTestCase):
    """Those that write at a time share what memory there is."""

    def setUp(self) -> None:
        self.disk = QueueDisk()
        self.addCleanup(self.disk.settle)  # after all have been closed
        self.fed: set[FileWriter] = set()

    def open(self) -> tuple[FileWriter, Producer]:
        path, producer = self.mktemp(), Producer()
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
        writer = FileWriter(self.disk, path, Appender(descriptor, 0), self.fed)
        writer.registerProducer(producer, True)
        self.addCleanup(writer.close)
        return writer, producer

    def test_alone(self) -> None:
        """One has the most that one may have, and is resumed when it is written."""
        writer, producer = self.open()
        writer.write(bytes(BODIES.max_share - 1))
        self.assertFalse(producer.paused)
        writer.write(b"x")
        self.assertTrue(producer.paused)
        self.disk.settle()
        self.assertFalse(producer.paused)

    def test_reading_and_writing_overlap(self) -> None:
        """It is resumed as soon as there is room, while the next batch is written."""
        writer, producer = self.open()
        first, rest = BODIES.max_share // 3, BODIES.max_share - BODIES.max_share // 3
        writer.write(bytes(first))
        writer.write(bytes(rest))
        self.assertTrue(producer.paused)
        self.disk.step()
        self.assertEqual((writer.size, producer.paused), (first, False))
        self.assertEqual(len(self.disk.jobs), 1)

    def test_among_many(self) -> None:
        """Of many each has less, until they go."""
        writer, producer = self.open()
        others = [self.open() for _ in range(127)]
        writer.write(bytes(BODIES.total // 128))
        self.assertTrue(producer.paused)
        self.disk.settle()
        self.assertFalse(producer.paused)
        for other, _ in others:
            other.unregisterProducer()
        writer.write(bytes(BODIES.max_share - 1))
        self.assertFalse(producer.paused)
        self.disk.settle()

    def test_nobody_is_left(self) -> None:
        """Whoever has no producer takes no part."""
        writer, _ = self.open()
        writer.unregisterProducer()
        self.assertEqual(self.fed, set())

    def test_closed(self) -> None:
        """Nor does one that is closed, whatever becomes of its producer."""
        writer, _ = self.open()
        writer.close()
        self.disk.settle()
        self.assertEqual(self.fed, set())


class KeptBackTests(SynchronousTestCase):
    """What does not fill a block is written when somebody waits for it."""

    def setUp(self) -> None:
        self.disk = QueueDisk()
        self.path = self.mktemp()
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        appender = Appender(descriptor, 0, direct=True)
        self.writer = FileWriter(self.disk, self.path, appender)
        self.content = os.urandom(DIRECT_BYTES + 10)
        self.writer.write(self.content)

    def finish(self, done: Deferred[None]) -> None:
        self.disk.settle()
        self.assertIsNone(self.successResultOf(done))

    def test_nobody_waits(self) -> None:
        """It stays, and is not said to be there."""
        self.disk.settle()
        self.assertEqual(self.writer.size, DIRECT_BYTES)
        self.finish(self.writer.close())
        self.assertEqual(read_whole(self.path), self.content)

    def test_flush(self) -> None:
        """Before, while and after it is written."""
        before = self.writer.flush()
        self.finish(before)
        self.writer.write(self.content)
        self.disk.settle()
        self.finish(self.writer.flush(durable=True))
        self.assertEqual(read_whole(self.path), self.content * 2)
        self.assertEqual(self.writer.size, 2 * len(self.content))
        self.finish(self.writer.close())

    def test_cancel(self) -> None:
        """What waits is not written any more; the disk has an end."""
        self.writer.write(self.content)
        waiting = self.writer.flush()
        done = self.writer.cancel()
        for _ in range(10):
            if self.disk.jobs:
                self.disk.step()
        self.assertEqual(self.disk.jobs, [])
        self.successResultOf(done)
        self.failureResultOf(waiting, DriverError)
        self.assertFalse(os.path.exists(self.path))

    def test_close_that_is_not_waited_for(self) -> None:
        """What it would have written is not there, and whoever asks is told."""
        self.writer.close().addErrback(lambda _: None).cancel()
        self.disk.settle()
        self.assertEqual(os.stat(self.path).st_size, DIRECT_BYTES)
        self.failureResultOf(self.writer.flush(), DriverError)
        self.failureResultOf(self.writer.close(), DriverError)

    def test_durable(self) -> None:
        """It is synced when all of it is written, and not before."""
        lengths = []
        self.patch(writers.os, "fsync", lambda fd: lengths.append(os.fstat(fd).st_size))
        self.finish(self.writer.flush())
        self.assertEqual(lengths, [])
        self.writer.write(self.content)
        self.finish(self.writer.flush(durable=True))
        self.writer.write(self.content)
        self.finish(self.writer.commit())
        self.assertEqual(lengths, [2 * len(self.content), 3 * len(self.content)])
