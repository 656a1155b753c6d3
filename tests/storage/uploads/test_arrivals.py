"""A cache whose storage has a file only when it is complete, as an object store."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer, implementer_only
from zope.interface.verify import verifyObject

from txregistry.flow.disk import InlineDisk
from txregistry.interfaces.driver import DriverError, IStorageDriver
from txregistry.interfaces.files import IFileWriter
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import IncrementalHash
from txregistry.storage.tree import layout
from txregistry.storage.uploads.arrivals import needs_spool
from txregistry.storagedriver.filesystem.driver import FilesystemDriver
from txregistry.storagedriver.inmemory import MemoryDriver
from txregistry.testing.house import TestHouse

SIZE = 1_000_000


@implementer(IFileWriter)
class LateWriter:
    """Holds everything until it is committed, which may take as long as one wants."""

    def __init__(self, driver: LateDriver, path: str, content: bytes, hasher: Any):
        self.driver, self.path, self.hasher = driver, path, hasher
        self.content = bytearray(content)

    @property
    def size(self) -> int:
        return len(self.content)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None

    def write(self, data: bytes) -> None:
        self.content += data
        if self.hasher is not None:
            self.hasher.update(data)

    def flush(self, durable: bool = False) -> Deferred[None]:
        return succeed(None)

    def commit(self) -> Deferred[None]:
        self.driver.commits.append(self.path)
        if self.driver.failure is not None:
            return fail(self.driver.failure)
        waited: Deferred[None] = self.driver.gate or succeed(None)
        return waited.addCallback(lambda _: self.close())

    def close(self) -> Deferred[None]:
        return self.driver.put(self.path, bytes(self.content))

    def cancel(self) -> Deferred[None]:
        return succeed(None)


@implementer_only(IStorageDriver)
class LateDriver(MemoryDriver):
    """Files are not there while they are written."""

    def __init__(self, clock: Any) -> None:
        super().__init__(clock, name="late", is_shared=True)
        self.commits: list[str] = []
        self.gate: Deferred[None] | None = None
        self.failure: Exception | None = None

    def writer(
        self,
        path: str,
        keep_bytes: int = 0,
        hasher: IncrementalHash | None = None,
        read_while_written: bool = True,
    ) -> Deferred[IFileWriter]:
        content = b""
        if keep_bytes:
            content = bytes(self._find(path).content)[:keep_bytes]
        return succeed(LateWriter(self, path, content, hasher))


class SpoolCase(SynchronousTestCase):
    """A blob of a megabyte, a late storage, and a local directory."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.driver, self.place = LateDriver(self.clock), self.mktemp()
        self.house = self.begin()
        self.upstream = self.house.upstream
        self.content = os.urandom(SIZE)
        self.digest = self.upstream.add_blob("a", self.content)
        self.path = f"/v2/a/blobs/{self.digest}"
        self.stored = layout.blob_data(self.digest)

    def begin(self) -> TestHouse:
        """Begin as the next process does."""
        spool = FilesystemDriver(self.place, InlineDisk())
        return TestHouse(driver=self.driver, spool=spool, clock=self.clock)

    def downloads(self) -> int:
        return self.upstream.count("GET", "/blobs/")

    def spooled(self) -> list[str]:
        found = []
        for directory, _, names in os.walk(self.place):
            found += [os.path.join(directory, name) for name in names]
        return found


class SpoolTests(SpoolCase):
    """What clients see, and what is left where."""

    def test_filled(self) -> None:
        """All clients get it from one download; then it is stored, and only there."""
        self.upstream.rate = SIZE // 2
        asked = [self.house.ask("GET", self.path) for _ in range(3)]
        for _ in range(60):
            self.house.pump()
            self.clock.advance(0.02)
        self.assertNotEqual(self.spooled(), [])
        self.assertNotIn(self.stored, self.driver.paths())
        asked.append(self.house.ask("GET", self.path))
        for done in asked:
            self.assertEqual(self.house.settle(done).body, self.content)
        self.assertEqual(self.house.get(self.path).body, self.content)
        self.assertEqual(self.downloads(), 1)
        self.assertEqual(self.driver.commits, [self.stored])
        self.assertEqual(self.spooled(), [])

    def test_served_before_stored(self) -> None:
        """Clients have its end before it is stored, and later ones begin meanwhile."""
        self.driver.gate = gate = Deferred()
        first = self.house.get(self.path)
        self.assertEqual(first.body, self.content)
        self.assertNotIn(self.stored, self.driver.paths())
        ranged = self.house.get(self.path, Range="bytes=999990-")
        self.assertEqual(ranged.body, self.content[999_990:])
        self.driver.gate = None
        gate.callback(None)
        self.house.pump()
        self.assertIn(self.stored, self.driver.paths())
        self.assertEqual(self.house.get(self.path).body, self.content)
        self.assertEqual((self.downloads(), self.spooled()), (1, []))

    def test_storage_away(self) -> None:
        """What cannot be stored is served, stays, and is stored by the next fill."""
        self.driver.failure = DriverError("late", self.stored, "away")
        for _ in range(2):
            self.assertEqual(self.house.get(self.path).body, self.content)
            self.assertEqual(len(self.spooled()), 2)
        self.driver.failure = None
        self.assertEqual(self.house.get(self.path).body, self.content)
        self.house.pump()
        self.assertIn(self.stored, self.driver.paths())
        self.assertEqual((self.downloads(), self.spooled()), (1, []))

    def test_crash_while_it_is_stored(self) -> None:
        """The next process downloads nothing: it is stored from where it lies."""
        self.driver.gate = Deferred()
        self.assertEqual(self.house.get(self.path).body, self.content)
        self.driver.gate = None
        upstream, self.house = self.upstream, self.begin()
        self.upstream = self.house.upstream
        self.assertEqual(upstream.count("GET", "/blobs/"), 1)
        self.upstream.add_blob("a", self.content)
        self.assertEqual(self.house.get(self.path).body, self.content)
        self.house.pump()
        self.assertIn(self.stored, self.driver.paths())
        self.assertEqual((self.downloads(), self.spooled()), (0, []))

    def test_damaged_spool(self) -> None:
        """What a crash has spoilt is downloaded anew."""
        self.driver.failure = DriverError("late", self.stored, "away")
        self.house.get(self.path)
        self.driver.failure = None
        (data,) = [path for path in self.spooled() if path.endswith("/data")]
        with open(data, "r+b") as file:
            file.write(b"damaged")
        self.house = self.begin()
        self.house.upstream.add_blob("a", self.content)
        self.assertEqual(self.house.get(self.path).body, self.content)
        self.house.pump()
        self.assertEqual(self.house.upstream.count("GET", "/blobs/"), 1)
        self.assertIn(self.stored, self.driver.paths())

    def test_stored_by_another(self) -> None:
        """What another process has stored meanwhile is not stored again."""
        self.driver.failure = DriverError("late", self.stored, "away")
        self.house.get(self.path)
        self.driver.failure, self.driver.commits = None, []
        partial = self.successResultOf(self.house.partials.open(self.digest))
        self.successResultOf(self.driver.put(self.stored, self.content))
        self.successResultOf(partial.commit(Descriptor(self.digest, SIZE)))
        self.assertEqual((self.driver.commits, self.spooled()), ([], []))

    def test_purged(self) -> None:
        """What nobody wants any more goes after a day."""
        self.driver.failure = DriverError("late", self.stored, "away")
        self.house.get(self.path)
        os.utime(next(path for path in self.spooled() if "data" in path), (0, 0))
        self.house.settle(self.house.rebuild.purge_partials())
        self.assertEqual(self.spooled(), [])


class SharedDirectoryTests(SpoolCase):
    """A directory that others use as well, which fill the same blob."""

    def begin(self) -> TestHouse:
        self.root = getattr(self, "root", None) or self.mktemp()
        driver = FilesystemDriver(self.root, InlineDisk(), is_shared=True)
        spool = FilesystemDriver(self.place, InlineDisk())
        return TestHouse(driver=driver, spool=spool, clock=self.clock)

    def test_appears_whole(self) -> None:
        """It is written aside and moved."""
        self.assertEqual(self.house.get(self.path).body, self.content)
        self.house.pump()
        directory = os.path.dirname(f"{self.root}{self.stored}")
        self.assertEqual(os.listdir(directory), ["data"])
        self.assertEqual(self.spooled(), [])
        self.assertEqual(self.house.get(self.path).body, self.content)
        self.assertEqual(self.downloads(), 1)


class WhichTests(SynchronousTestCase):
    """Which drivers have partial blobs elsewhere."""

    def test_drivers(self) -> None:
        """Those of others, and those whose files are late."""
        clock = Clock()
        late = LateDriver(clock)
        verifyObject(IStorageDriver, late)
        for driver, expected in (
            (MemoryDriver(clock), False),
            (FilesystemDriver("/x", InlineDisk()), False),
            (FilesystemDriver("/x", InlineDisk(), is_shared=True), True),
            (late, True),
        ):
            self.assertEqual(needs_spool(driver), expected, driver)
