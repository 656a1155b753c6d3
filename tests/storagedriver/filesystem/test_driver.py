"""What only files can do wrong."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow.disk import InlineDisk
from txregistry.storagedriver.filesystem.appender import Appender
from txregistry.storagedriver.filesystem.driver import FilesystemDriver


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
