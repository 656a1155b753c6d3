"""Whether the storage takes a file."""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow.disk import InlineDisk
from txregistry.interfaces.driver import DriverError
from txregistry.storage.tree.probe import probe
from txregistry.storagedriver.filesystem.driver import FilesystemDriver
from txregistry.storagedriver.inmemory import MemoryDriver


class Keeping(FilesystemDriver):
    """Cannot delete, as after a crash in between."""

    def delete(self, path: str, durable: bool = True) -> Deferred[None]:
        return fail(DriverError(self.name, path, "killed"))


class ProbeTests(SynchronousTestCase):
    """What it leaves, and how it fails."""

    def test_nothing_is_left(self) -> None:
        """The file is deleted again."""
        driver = MemoryDriver(Clock())
        self.successResultOf(probe(driver))
        self.assertEqual(list(driver.paths()), [])

    def test_what_a_crash_leaves(self) -> None:
        """It is swept with what other writes have left."""
        root = self.mktemp()
        failure = self.failureResultOf(probe(Keeping(root, InlineDisk())), DriverError)
        self.assertIn("killed", str(failure.value))
        driver = FilesystemDriver(root, InlineDisk())
        swept = driver.sweep(path="/", before=float("inf"))
        self.assertEqual(self.successResultOf(swept), 1)
