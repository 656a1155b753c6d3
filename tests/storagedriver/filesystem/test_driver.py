"""What only files can do wrong."""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from unittest.mock import Mock

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow.disk import InlineDisk
from txregistry.interfaces.driver import DriverError
from txregistry.storagedriver.filesystem.appender import Appender
from txregistry.storagedriver.filesystem.driver import FilesystemDriver
from txregistry.testing.drivers import driver_suite


class FilesystemTests(SynchronousTestCase):
    """What only files can do wrong."""

    def test_full_disk(self) -> None:
        """A write that fails stops the producer and is told to whoever flushes."""
        from txregistry.flow.streams import ChunkProducer, ConsumerStopped
        from txregistry.interfaces.driver import DriverError

        class Full(InlineDisk):
            def run(self, work, *args):
                if getattr(work, "__func__", None) is Appender.append:
                    work = self.refuse
                return super().run(work, *args)

            def refuse(self, *args):
                raise OSError(28, "No space left on device")

        from twisted.internet.defer import Deferred

        driver = FilesystemDriver(self.mktemp(), Full())
        writer = self.successResultOf(driver.writer("/f"))
        chunks: list[Deferred[bytes]] = []

        def source(offset: int, size: int) -> Deferred[bytes]:
            chunks.append(Deferred())
            return chunks[-1]

        done = ChunkProducer(source, writer, 0, 100).start()
        chunks[0].callback(b"x" * 50)
        self.failureResultOf(done, ConsumerStopped)
        failure = self.failureResultOf(writer.flush(), DriverError)
        self.assertIn("No space left", str(failure.value))
        self.failureResultOf(writer.commit(), DriverError)

    def test_pruning(self) -> None:
        """Empty directories go, up to one that is not."""
        driver = FilesystemDriver(self.mktemp(), InlineDisk())
        self.successResultOf(driver.put("/a/b/c/d/f", b""))
        self.successResultOf(driver.put("/a/keep", b""))
        self.successResultOf(driver.delete("/a/b/c/d/f"))
        self.successResultOf(driver.prune("/a/b/c/d", "/"))
        self.assertEqual(self.successResultOf(driver.list("/a")), ["/a/keep"])


FilesystemDriverTests = driver_suite(
    lambda case: FilesystemDriver(case.mktemp(), InlineDisk())
)


class SweepTests(SynchronousTestCase):
    """What a crash left of writes."""

    def setUp(self) -> None:
        self.root = self.mktemp()
        self.driver = FilesystemDriver(self.root, InlineDisk())
        for number in range(300):
            self.successResultOf(self.driver.put(f"/a/{number}/link", b"x"))

    def leave(self, path: str, age: float) -> None:
        with open(f"{self.root}{path}.{uuid.uuid4()}.tmp", "xb") as file:
            os.utime(file.fileno(), (0, 1_000_000 - age))

    def left(self) -> list[str]:
        return [str(found) for found in Path(self.root).rglob("*.tmp")]

    def test_old_ones_go(self) -> None:
        """Those that are younger stay, and so does what only looks like one."""
        for number in (0, 1, 299):
            self.leave(f"/a/{number}/link", 11)
        self.leave("/a/7/link", 9)
        self.successResultOf(self.driver.put("/a/link.tmp", b"mine"))
        done = self.driver.sweep("/", 1_000_000 - 10)
        self.assertEqual(self.successResultOf(done), 3)
        self.assertEqual(len(self.left()), 2)
        self.assertEqual(len(self.successResultOf(self.driver.list("/a"))), 301)

    def test_below_a_path_only(self) -> None:
        """Others are not looked at."""
        self.leave("/a/1/link", 11)
        self.leave("/a/2/link", 11)
        self.assertEqual(self.successResultOf(self.driver.sweep("/a/1", 1e6)), 1)
        self.assertEqual(len(self.left()), 1)

    def test_nothing_there(self) -> None:
        """A root that was never written to has nothing to be swept."""
        driver = FilesystemDriver(self.mktemp(), InlineDisk())
        self.assertEqual(self.successResultOf(driver.sweep("/", 1e6)), 0)

    def test_one_that_cannot_be_deleted(self) -> None:
        """It is told by the driver's own error."""
        self.leave("/a/1/link", 11)
        self.patch(os, "unlink", Mock(side_effect=PermissionError(13, "not yours")))
        self.failureResultOf(self.driver.sweep("/", 1e6), DriverError)
