"""Files that are read, when they are not in memory."""

from __future__ import annotations

import os
from unittest.mock import Mock

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from txregistry.flow.sendfile import IFileConsumer, Warm
from txregistry.flow.streams import BoundedConsumer
from txregistry.storagedriver.filesystem import reader as readers
from txregistry.storagedriver.filesystem.reader import FileReader
from txregistry.testing.disk import QueueDisk

#: Of a file that is sent as one.
SIZE = 200_000


@implementer(IFileConsumer)
class Taker:
    """Takes files, and has all of what it takes brought into memory first."""

    def __init__(self) -> None:
        self.took: list[tuple[int, int]] = []

    def takes_files(self) -> bool:
        return True

    def write_file(
        self, descriptor: int, offset: int, size: int, warm: Warm
    ) -> Deferred[None]:
        self.took.append((offset, size))
        return warm(size, offset, size)


class Both(Taker, BoundedConsumer):
    """Takes files, and bytes."""

    def __init__(self) -> None:
        Taker.__init__(self)
        BoundedConsumer.__init__(self, SIZE)


class ColdTests(SynchronousTestCase):
    """Who sends a file that is not in memory lets a thread wait for the disk."""

    def setUp(self) -> None:
        self.disk, self.taker = QueueDisk(), Taker()
        path = self.mktemp()
        with open(path, "wb") as file:
            file.write(bytes(SIZE))
        self.descriptor = os.open(path, os.O_RDONLY)
        self.reader = FileReader(self.disk, self.descriptor, SIZE)
        self.addCleanup(self.reader.close)

    def test_cold(self) -> None:
        """A thread reads a part of it through a descriptor of its own."""
        done = self.reader.read(self.taker, 100, SIZE - 200)
        self.assertNoResult(done)
        opened = len(os.listdir("/proc/self/fd"))
        self.disk.settle()
        self.successResultOf(done)
        self.assertEqual(self.taker.took, [(100, SIZE - 200)])
        self.assertEqual(len(os.listdir("/proc/self/fd")), opened - 1)

    def test_cannot_be_read(self) -> None:
        """What is wrong with the disk is said, and what was opened is closed."""
        self.patch(readers.os, "pread", Mock(side_effect=OSError(5, "broken")))
        done = self.reader.read(self.taker)
        opened = len(os.listdir("/proc/self/fd"))
        self.disk.settle()
        self.failureResultOf(done, OSError)
        self.assertEqual(len(os.listdir("/proc/self/fd")), opened - 1)

    def test_others(self) -> None:
        """To who takes no files each piece is given when it has been read."""
        consumer = BoundedConsumer(SIZE)
        done = self.reader.read(consumer)
        self.disk.settle()
        self.successResultOf(done)
        self.assertEqual(consumer.content, bytes(SIZE))

    def test_small(self) -> None:
        """What is as small as a head is written with it, also to who takes files."""
        consumer = Both()
        done = self.reader.read(consumer, 10, readers._WRITTEN_BYTES - 10)
        self.disk.settle()
        self.successResultOf(done)
        self.assertEqual(consumer.content, bytes(readers._WRITTEN_BYTES - 10))
        self.assertEqual(consumer.took, [])
        # One that is asked for to a later end is long.
        self.reader.read(consumer, 10, readers._WRITTEN_BYTES)
        self.disk.settle()
        self.assertEqual(consumer.took, [(10, readers._WRITTEN_BYTES)])

    def test_nothing(self) -> None:
        """For no bytes nobody waits."""
        self.successResultOf(self.reader.read(self.taker, SIZE))
        self.assertEqual((self.taker.took, self.disk.jobs), ([], []))

    def test_gone(self) -> None:
        """What was opened for who does not wait any more is closed."""
        done = self.reader.read(self.taker)
        done.cancel()
        self.failureResultOf(done, CancelledError)
        opened = len(os.listdir("/proc/self/fd"))
        self.reader.close()
        self.disk.settle()
        self.assertEqual(len(os.listdir("/proc/self/fd")), opened - 2)
