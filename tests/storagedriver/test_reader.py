"""Files that are read, when they are not in memory."""

from __future__ import annotations

import os
from unittest.mock import Mock

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from txregistry.flow.sendfile import IFileConsumer
from txregistry.flow.streams import BoundedConsumer
from txregistry.storagedriver import reader as readers
from txregistry.storagedriver.reader import FileReader
from txregistry.testing.disk import QueueDisk


@implementer(IFileConsumer)
class Taker:
    """Takes files, and says which part of them."""

    def __init__(self) -> None:
        self.took: list[tuple[int, int]] = []

    def takes_files(self) -> bool:
        return True

    def write_file(self, descriptor: int, offset: int, size: int) -> Deferred[None]:
        self.took.append((offset, size))
        return succeed(None)


class ColdTests(SynchronousTestCase):
    """Who sends a file that is not in memory lets a thread wait for the disk."""

    def setUp(self) -> None:
        self.disk, self.taker = QueueDisk(), Taker()
        path = self.mktemp()
        with open(path, "wb") as file:
            file.write(bytes(1000))
        self.descriptor = os.open(path, os.O_RDONLY)
        self.reader = FileReader(self.disk, self.descriptor, 1000)
        self.addCleanup(self.reader.close)
        self.asked: list[int] = []
        self.patch(readers, "is_in_memory", self.is_in_memory)
        self.warm = False

    def is_in_memory(self, descriptor: int, offset: int) -> bool:
        self.asked.append(offset)
        return self.warm

    def test_cold(self) -> None:
        """It is sent when its beginning has been read, with what is after it."""
        done = self.reader.read(self.taker, 100, 500)
        self.assertEqual((self.taker.took, self.asked), ([], [100]))
        opened = len(os.listdir("/proc/self/fd"))
        self.disk.settle()
        self.successResultOf(done)
        self.assertEqual(self.taker.took, [(100, 500)])
        self.assertEqual(len(os.listdir("/proc/self/fd")), opened - 1)

    def test_warm(self) -> None:
        """What is in memory is sent at once."""
        self.warm = True
        self.successResultOf(self.reader.read(self.taker))
        self.assertEqual((self.taker.took, self.disk.jobs), ([(0, 1000)], []))

    def test_cannot_be_read(self) -> None:
        """What is wrong with the disk is said, and what was opened is closed."""
        self.patch(readers.os, "pread", Mock(side_effect=OSError(5, "broken")))
        done = self.reader.read(self.taker)
        opened = len(os.listdir("/proc/self/fd"))
        self.disk.settle()
        self.failureResultOf(done, OSError)
        self.assertEqual(self.taker.took, [])
        self.assertEqual(len(os.listdir("/proc/self/fd")), opened - 1)

    def test_others(self) -> None:
        """Who takes no files is not asked about; each piece is waited for apart."""
        consumer = BoundedConsumer(1000)
        done = self.reader.read(consumer)
        self.disk.settle()
        self.successResultOf(done)
        self.assertEqual((consumer.content, self.asked), (bytes(1000), []))

    def test_nothing(self) -> None:
        """For no bytes nobody waits."""
        self.successResultOf(self.reader.read(self.taker, 1000))
        self.assertEqual((self.asked, self.disk.jobs), ([], []))

    def test_gone(self) -> None:
        """Nothing is sent to who does not wait any more; what was opened is closed."""
        done = self.reader.read(self.taker)
        done.cancel()
        self.failureResultOf(done, CancelledError)
        opened = len(os.listdir("/proc/self/fd"))
        self.reader.close()
        self.disk.settle()
        self.assertEqual(self.taker.took, [])
        self.assertEqual(len(os.listdir("/proc/self/fd")), opened - 2)
