"""One file of a journal: how long it is, and what is in it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from txregistry.interfaces.driver import PutFile
from txregistry.storagedriver.filesystem.atomic import write_all
from txregistry.storagedriver.filesystem.journal import segment
from txregistry.storagedriver.filesystem.journal.segment import SEGMENT_BYTES, Segment

STEPS = [PutFile("/a", b"x" * 1000)]


class LengthTests(SynchronousTestCase):
    """It is as long from the start as it will be."""

    def setUp(self) -> None:
        self.path = self.mktemp()

    def open(self) -> Segment:
        opened = Segment(self.path)
        opened.open()
        self.addCleanup(opened.close)
        return opened

    def size(self) -> int:
        return os.stat(self.path).st_size

    def refuse(self, number: int, after: int) -> None:
        """Let no byte be written from some offset on."""

        def write(descriptor: int, content: bytes, offset: int = 0) -> None:
            if offset >= after:
                write_all(descriptor, content[:10], offset)
                raise OSError(number, os.strerror(number))
            write_all(descriptor, content, offset)

        self.patch(segment, "write_all", write)

    def test_records_make_it_no_longer(self) -> None:
        """All of it is written before the first one comes: it has no holes."""
        written = []

        def write(descriptor: int, content: bytes, offset: int = 0) -> None:
            written.append((offset, len(content)))
            write_all(descriptor, content, offset)

        self.patch(segment, "write_all", write)
        opened = self.open()
        self.assertEqual(self.size(), SEGMENT_BYTES)
        self.assertEqual(sum(length for _, length in written), SEGMENT_BYTES)
        opened.begin(1, "boot")
        while not opened.is_full:
            self.assertEqual(self.size(), SEGMENT_BYTES)
            opened.append(STEPS * 100, 1.0)

    def test_what_is_there_stays(self) -> None:
        """A shorter one, as there may be from before, is made longer and read."""
        opened = self.open()
        opened.begin(1, "boot")
        opened.append(STEPS, 1.0)
        opened.close()
        os.truncate(self.path, 2000)
        again = self.open()
        self.assertEqual(self.size(), SEGMENT_BYTES)
        self.assertEqual((again.counts, again.read().steps), (True, STEPS))

    def test_long_enough(self) -> None:
        """One that has its length is not written to, nor waited for."""
        self.open().close()
        self.refuse(errno.EIO, 0)
        self.patch(segment.os, "fdatasync", None)
        self.open()

    def test_no_room(self) -> None:
        """Then it grows with what is written, and takes nothing before."""
        for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            Path(self.path).unlink(missing_ok=True)
            self.refuse(number, 1024 * 1024)
            opened = self.open()
            self.assertEqual(self.size(), 0)
            opened.begin(1, "boot")
            opened.append(STEPS, 1.0)
            self.assertEqual(opened.read().steps, STEPS)

    def test_cannot_be_written(self) -> None:
        """What is wrong with the disk is said."""
        self.refuse(errno.EIO, 0)
        self.assertRaises(OSError, self.open)
