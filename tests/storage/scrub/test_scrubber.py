"""Passes over a store in memory, on a clock."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.assembly.scrub import assemble_scrubber
from txregistry.assembly.storage import open_databases
from txregistry.expiry.ledger_sqlite import SqliteLedger
from txregistry.flow.database import Database
from txregistry.flow.disk import InlineDisk
from txregistry.interfaces.driver import DriverError
from txregistry.interfaces.scrub import (
    IScrubber,
    ScrubFinding,
    ScrubOptions,
    ScrubOutcome,
    ScrubProgress,
    ScrubRefused,
    ScrubReport,
)
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName
from txregistry.speed.failures import failed
from txregistry.storage.content.integrity import SCHEMA as VERIFIED
from txregistry.storage.content.integrity import Integrity
from txregistry.storage.index.statements import SCHEMA as INDEX
from txregistry.storage.index.statements import VERSION
from txregistry.storage.scrub.memory import ScrubMemory
from txregistry.storage.scrub.plan import ScrubPass
from txregistry.storage.scrub.reading import PIECE_BYTES
from txregistry.storage.scrub.scrubber import Scrubber
from txregistry.storage.tree import layout
from txregistry.storagedriver.filesystem.driver import FilesystemDriver
from txregistry.storagedriver.inmemory import MemoryDriver, MemoryReader
from txregistry.testing.house import TestHouse

SIZE = 100_000


class ScrubCase(SynchronousTestCase):
    """A registry with some blobs."""

    def setUp(self) -> None:
        self.house = TestHouse()
        self.told: list[ScrubProgress] = []
        self.contents: dict[Digest, bytes] = {}
        for _ in range(8):
            self.push(os.urandom(SIZE))
        self.scrubber = self.make()

    def make(self) -> Scrubber:
        """Make a scrubber, as after a restart: what is in the database is there."""
        return assemble_scrubber(
            self.house.stored,
            None,
            False,
            self.house.metrics.scrub,
            self.house.clock,
            self.house.clock,
        )

    def push(self, content: bytes, name: str = "a") -> Digest:
        digest = Digest.of(content)
        pushed = self.house.send(
            "POST",
            f"/v2/{name}/blobs/uploads/?digest={digest}",
            content,
            Content_Type="application/octet-stream",
        )
        self.assertEqual(pushed.status, 201)
        # A small upload is written to the tree a little later.
        self.house.clock.advance(5)
        self.contents[digest] = content
        return digest

    @property
    def digests(self) -> list[Digest]:
        return sorted(self.contents)

    def rot(self, digest: Digest) -> None:
        """Change a bit and nothing else: no length, no time, no inode."""
        file = self.driver._files[layout.blob_data(digest)]
        before = file.identity
        file.content[len(file.content) // 2] ^= 1
        self.assertEqual(file.identity, before)

    @property
    def driver(self) -> MemoryDriver:
        assert isinstance(self.house.driver, MemoryDriver)
        return self.house.driver

    def scrub(self, **options: Any) -> ScrubReport:
        done = self.scrubber.scrub(ScrubOptions(**options), self.told.append)
        return self.house.settle(done)

    def status(self, digest: Digest, name: str = "a") -> int:
        return self.house.send("GET", f"/v2/{name}/blobs/{digest}").status

    def metric(self, name: str) -> float:
        return self.house.count(f"registry_scrub_{name}")


class ScrubTests(ScrubCase):
    """What a pass finds."""

    def test_sound(self) -> None:
        """All is read, and nothing is found."""
        verifyObject(IScrubber, self.scrubber)
        report = self.scrub(links=True)
        self.assertTrue(report.complete)
        self.assertEqual((report.contents, report.size), (8, 8 * SIZE))
        self.assertEqual((report.findings, report.damaged), ([], 0))
        self.assertEqual(self.metric("bytes_total"), 8 * SIZE)
        now = self.house.clock.seconds()
        self.assertAlmostEqual(self.metric("last_pass_timestamp_seconds"), now, delta=5)

    def test_rot(self) -> None:
        """One changed bit is found although the file looks as it was; it is gone."""
        doomed = self.digests[3]
        self.assertEqual(self.status(doomed), 200)
        self.rot(doomed)
        self.assertEqual(self.status(doomed), 200)  # nothing tells so far
        report = self.scrub()
        expected = ScrubFinding(str(doomed), SIZE, ScrubOutcome.SET_ASIDE, ("a",))
        self.assertEqual(report.findings, [expected])
        self.assertEqual((report.damaged, report.healed, report.contents), (1, 0, 8))
        self.assertEqual(self.status(doomed), 404)
        aside = [path for path in self.house.paths() if layout.DAMAGED in path]
        self.assertEqual(len(aside), 1)
        self.assertEqual(self.metric("damaged_total"), 1)
        # The next pass has nothing to find, and a push heals.
        self.assertEqual(self.scrub().damaged, 0)
        self.push(self.contents[doomed])
        self.assertEqual(self.status(doomed), 200)
        self.assertEqual(self.scrub().contents, 8)

    def test_what_was_known_is_forgotten(self) -> None:
        """A file that cannot be set aside is not served either, after a restart too."""
        doomed = self.digests[3]
        self.rot(doomed)
        refuse = lambda *_, **__: failed(DriverError("inmemory", "/", "read-only"))  # noqa: E731
        self.patch(MemoryDriver, "move", refuse)
        (found,) = self.scrub().findings
        self.assertEqual(found.outcome, ScrubOutcome.STUCK)
        self.assertEqual(self.status(doomed), 404)
        self.house.settle(self.house.content.integrity.flush())
        self.house.content.integrity._found.clear()
        self.assertEqual(self.status(doomed), 404)

    def test_every_size(self) -> None:
        """Also empty content, and such of many pieces."""
        for size in (0, 1, PIECE_BYTES, 2 * PIECE_BYTES + 1):
            digest = self.push(os.urandom(size))
            if size:
                self.rot(digest)
        report = self.scrub()
        self.assertEqual((report.contents, report.damaged), (12, 3))

    def test_manifest_in_memory(self) -> None:
        """A manifest that memory still has is not given any more."""
        config = self.push(b"{}")
        kind = "application/vnd.oci.image.manifest.v1+json"
        manifest = (
            b'{"schemaVersion":2,"mediaType":"%b","config":{"mediaType":'
            b'"application/vnd.oci.image.config.v1+json","digest":"%b","size":2},'
            b'"layers":[]}' % (kind.encode(), str(config).encode())
        )
        path = "/v2/a/manifests/1"
        put = self.house.send("PUT", path, manifest, Content_Type=kind)
        self.assertEqual(put.status, 201)
        self.assertEqual(self.house.send("GET", path).status, 200)
        self.rot(Digest.of(manifest))
        self.assertEqual(self.scrub().damaged, 1)
        self.assertEqual(self.house.send("GET", path).status, 404)

    def test_foreign_files(self) -> None:
        """What is no content is passed over."""
        for name in ("lost+found/x", "sha256/ab/notes", "sha256/.DS_Store"):
            if "+" not in name:
                self.house.settle(self.driver.put(f"{layout.BLOBS}/{name}", b"x"))
        self.assertEqual(self.scrub().contents, 8)

    def test_replaced_meanwhile(self) -> None:
        """Content that a push replaced after it was read stays."""
        doomed = self.digests[3]
        self.rot(doomed)
        examine = self.house.content.damage.set_aside

        def push_first(*args: Any) -> Deferred[bool]:
            path = layout.blob_data(doomed)
            self.driver.put(path=path, content=self.contents[doomed])
            return examine(*args)

        self.patch(
            type(self.house.content.damage), "set_aside", lambda _, *a: push_first(*a)
        )
        report = self.scrub()
        self.assertEqual((report.damaged, report.findings), (0, []))
        self.assertEqual(self.status(doomed), 200)

    def test_deleted_meanwhile(self) -> None:
        """Content that is deleted while it is read is nothing to complain about."""
        doomed = self.digests[3]
        self.rot(doomed)
        done = self.scrubber.scrub(ScrubOptions(rate=SIZE), self.told.append)
        self.house.clock.advance(1.0)
        self.driver.delete(path=layout.blob_data(doomed))
        report = self.house.settle(done)
        self.assertEqual((report.contents, report.damaged), (7, 0))

    def test_memory_that_fails(self) -> None:
        """What is wrong once and right the next time is not set aside, but told."""
        doomed = self.digests[3]
        self.rot(doomed)
        real = Digest.matches
        asked: list[Digest] = []

        def matches(digest: Digest, hasher: Any) -> bool:
            if digest == doomed:
                asked.append(digest)
                return len(asked) > 1
            return real(digest, hasher)

        self.patch(Digest, "matches", matches)
        report = self.scrub()
        self.assertEqual((report.damaged, report.contents), (0, 8))
        self.assertEqual(len(asked), 2)

    def broken(self, number: int, times: int) -> Digest:
        """Let one content be unreadable for some times."""
        doomed = self.digests[3]
        file, left = self.driver._files[layout.blob_data(doomed)], [times]
        real = MemoryReader.read

        def read(reader: MemoryReader, *args: Any, **words: Any) -> Any:
            if reader._file is file and left[0]:
                left[0] -= 1
                return fail(OSError(number, os.strerror(number)))
            return real(reader, *args, **words)

        self.patch(MemoryReader, "read", read)
        return doomed

    def test_bad_sector(self) -> None:
        """What the disk does not give twice is set aside, and can be pushed again."""
        doomed = self.broken(errno.EIO, 2)
        report = self.scrub()
        (found,) = report.findings
        self.assertEqual((found.outcome, found.size), (ScrubOutcome.SET_ASIDE, SIZE))
        self.assertEqual((report.complete, report.damaged), (True, 1))
        self.assertEqual(self.status(doomed), 404)
        self.push(self.contents[doomed])
        self.assertEqual(self.status(doomed), 200)

    def test_loose_cable(self) -> None:
        """What can be read the second time is good."""
        doomed = self.broken(errno.EIO, 1)
        self.assertEqual(self.scrub().findings, [])
        self.assertEqual(self.status(doomed), 200)

    def test_disk_that_is_gone(self) -> None:
        """Nothing can be moved: it is told, not served, and stays where it is."""
        doomed = self.broken(errno.EIO, 2)
        error = DriverError("inmemory", "/x", "Read-only file system")
        self.patch(MemoryDriver, "move", lambda *_, **__: failed(error))
        (found,) = self.scrub().findings
        self.assertEqual(found.outcome, ScrubOutcome.STUCK)
        self.assertIn(layout.blob_data(doomed), self.house.paths())

    def test_storage_that_does_not_answer(self) -> None:
        """It says nothing about the content, which stays where it is."""
        doomed, put = self.broken(errno.EIO, 2), MemoryDriver.put
        error = DriverError("inmemory", "/x", "Input/output error")
        error.__cause__ = OSError(errno.EIO, "Input/output error")

        def away(driver: MemoryDriver, path: str, *args: Any, **words: Any) -> Any:
            if "/writable." in path:
                return failed(error)
            return put(driver, path, *args, **words)

        self.patch(MemoryDriver, "put", away)
        (found,) = self.scrub().findings
        self.assertEqual(found.outcome, ScrubOutcome.UNREADABLE)
        self.assertIn(layout.blob_data(doomed), self.house.paths())

    def test_missing_rights(self) -> None:
        """They say nothing about the content, which stays where it is."""
        doomed = self.broken(errno.EACCES, 1)
        (found,) = self.scrub().findings
        self.assertEqual(found.outcome, ScrubOutcome.UNREADABLE)
        self.assertEqual(self.status(doomed), 200)

    def test_file_that_cannot_be_opened(self) -> None:
        """It is told, and left where it is."""
        doomed = self.digests[3]
        real = MemoryDriver.reader

        def reader(driver: MemoryDriver, path: str) -> Any:
            if path == layout.blob_data(doomed):
                return failed(DriverError("inmemory", path, "Input/output error"))
            return real(driver, path)

        self.patch(MemoryDriver, "reader", reader)
        report = self.scrub()
        expected = ScrubFinding(str(doomed), 0, ScrubOutcome.UNREADABLE, ("a",))
        self.assertEqual(report.findings, [expected])
        self.assertEqual((report.complete, report.damaged), (True, 0))
        self.assertEqual(self.metric("unreadable_total"), 1)
        self.patch(MemoryDriver, "reader", real)
        self.assertEqual(self.status(doomed), 200)

    def test_known_from_then_on(self) -> None:
        """Content of a copied directory that was scrubbed is not read to be served."""
        integrity = self.house.content.integrity
        self.house.settle(integrity.flush())
        integrity._found.clear()
        self.house.settle(
            integrity._database.run(lambda db: db.execute("DELETE FROM verified"))
        )
        self.scrub()

        def refuse(_: Integrity, *__: object) -> Deferred[bool | None]:
            raise AssertionError("it is read")

        self.patch(Integrity, "_hash", refuse)
        self.assertEqual(self.status(self.digests[0]), 200)
        # Memory is for what is in use, not for all that a scrub has seen.
        self.assertEqual(len(integrity._found), 1)


class RepositoryTests(ScrubCase):
    """A pass over some repositories."""

    def test_only_that(self) -> None:
        """Only what it links is read, and no position is kept."""
        other = self.push(b"other", "b/c")
        self.rot(self.digests[0] if self.digests[0] != other else self.digests[1])
        names = (RepositoryName("b/c"),)
        report = self.scrub(repositories=names)
        self.assertEqual((report.contents, report.damaged), (1, 0))
        remembered = self.house.settle(self.scrubber.remembered())
        self.assertEqual((remembered.current, remembered.last), (None, None))
        self.rot(other)
        (found,) = self.scrub(repositories=names).findings
        self.assertEqual((found.digest, found.repositories), (str(other), ("b/c",)))

    def test_unknown(self) -> None:
        """A repository that is not there is an error."""
        with self.assertRaisesRegex(ScrubRefused, "no repository x/y"):
            self.scrub(repositories=(RepositoryName("x/y"),))


class MissingTests(ScrubCase):
    """Links to content that is not there, as after an incomplete restore."""

    def test_missing(self) -> None:
        """It is told once, with who links it; content set aside is told as that."""
        lost, rotten = self.digests[2], self.digests[5]
        self.push(self.contents[lost], "b")
        self.house.settle(self.driver.delete(path=layout.blob_data(lost)))
        self.rot(rotten)
        report = self.scrub(links=True)
        found = {item.digest: item for item in report.findings}
        self.assertEqual(found[str(lost)].outcome, ScrubOutcome.MISSING)
        self.assertEqual(found[str(lost)].repositories, ("a", "b"))
        self.assertEqual(found[str(rotten)].outcome, ScrubOutcome.SET_ASIDE)
        self.assertEqual((report.missing, report.damaged), (1, 1))
        # Of one repository as well; and the rotten one is missing by now.
        report = self.scrub(repositories=(RepositoryName("a"),), links=True)
        self.assertEqual(report.missing, 2)

    def test_local_repositories_of_a_cache(self) -> None:
        """What a cached repository links may be missing: it is fetched again."""
        lost = self.digests[2]
        self.push(self.contents[lost], "team/a")
        self.house.settle(self.driver.delete(path=layout.blob_data(lost)))
        self.scrubber._is_local = lambda name: name.text == "team/a"
        (finding,) = self.scrub(links=True).findings
        self.assertEqual(finding.repositories, ("team/a",))

    def test_not_asked_for(self) -> None:
        """A pass that is not asked to does not look at links."""
        self.house.settle(self.driver.delete(path=layout.blob_data(self.digests[2])))
        self.assertEqual(self.scrub().findings, [])


class RateTests(ScrubCase):
    """How fast it reads, and what else has its turn."""

    def test_rate(self) -> None:
        """Not faster than was said."""
        began = self.house.clock.seconds()
        self.scrub(rate=float(SIZE))
        took = self.house.clock.seconds() - began
        self.assertGreaterEqual(took, 7.5)
        self.assertLess(took, 10.0)

    def test_many_small_files(self) -> None:
        """A file counts 64 KiB at least, as a disk has to look for it."""
        for number in range(30):
            self.push(b"%d" % number)
        began = self.house.clock.seconds()
        self.scrub(rate=1024.0 * 1024)
        self.assertGreaterEqual(self.house.clock.seconds() - began, 1.9)

    def test_progress(self) -> None:
        """It is told now and then, and grows."""
        self.scrub(rate=float(SIZE))
        fractions = [told.fraction for told in self.told]
        self.assertGreater(len(fractions), 4)
        self.assertEqual(fractions, sorted(fractions))
        sizes = [told.size for told in self.told]
        self.assertEqual(sizes, sorted(sizes))

    def test_others_have_their_turn(self) -> None:
        """However many files there are, a turn of the reactor deals with few."""
        for number in range(200):
            self.driver.put(
                path=layout.blob_data(Digest.of(b"%d" % number)), content=b"%d" % number
            )
        seen: list[float] = []
        call_later = self.house.clock.callLater

        def counted(delay: float, *work: Any) -> Any:
            seen.append(self.metric("bytes_total"))
            return call_later(delay, *work)

        self.patch(self.house.clock, "callLater", counted)
        self.scrub()
        self.assertGreaterEqual(len(seen), 208 // 16)
        self.assertEqual(seen, sorted(set(seen)))


class Recording(InlineDisk):
    """Remembers what was done on threads, and by which function."""

    def __init__(self) -> None:
        self.jobs: list[tuple[str, tuple[Any, ...]]] = []
        self.is_inside = False

    def run(self, work: Callable[..., Any], *args: Any) -> Deferred[Any]:
        self.jobs.append((work.__name__, args))
        self.is_inside = True
        try:
            return super().run(work, *args)
        finally:
            self.is_inside = False


class ThreadTests(SynchronousTestCase):
    """A pass over files: what the reactor's thread has to do with it."""

    def test_pieces(self) -> None:
        """Files are opened and read on other threads, 1 MiB in one job at most."""
        disk = Recording()
        house = TestHouse(driver=FilesystemDriver(self.mktemp(), disk))
        assert house.driver is not None
        contents = [os.urandom(size) for size in (3 * PIECE_BYTES + 1, 10)]
        for content in contents:
            path = layout.blob_data(Digest.of(content))
            house.settle(house.driver.put(path=path, content=content))
        scrubber = assemble_scrubber(
            house.stored, None, False, house.metrics.scrub, house.clock, house.clock
        )
        real: Callable[..., int] = os.preadv

        def preadv(*args: Any) -> int:
            self.assertTrue(disk.is_inside)
            return real(*args)

        self.patch(os, "preadv", preadv)
        disk.jobs.clear()
        report = house.settle(scrubber.scrub(ScrubOptions(), lambda _: None))
        self.assertEqual((report.contents, report.damaged), (2, 0))
        sizes = [args[-1] for name, args in disk.jobs if name == "_hash_and_close"]
        self.assertEqual(sorted(sizes), [1, 10, *[PIECE_BYTES] * 3])
        opened = [name for name, _ in disk.jobs if name == "open_uncached"]
        self.assertEqual(len(opened), 2)


class InterruptedTests(ScrubCase):
    """A pass that is cut off, and one that resumes it."""

    def interrupt(self, seconds: float = 3.0) -> ScrubReport:
        options = ScrubOptions(float(SIZE), resume=True)
        done = self.scrubber.scrub(options, self.told.append)
        self.house.clock.advance(0)
        for _ in range(int(seconds * 10)):
            self.house.clock.advance(0.1)
        self.assertNoResult(done)
        done.cancel()
        report = self.house.settle(done)
        self.assertFalse(report.complete)
        self.assertEqual(self.house.timers(), [])
        return report

    def test_resumed(self) -> None:
        """It goes on where it was, after a restart too; the report is of all."""
        first, last = self.digests[0], self.digests[-1]
        self.rot(first)
        report = self.interrupt()
        self.assertEqual(report.damaged, 1)
        before = report.contents
        self.assertTrue(1 <= before <= 5, before)
        self.rot(last)
        self.scrubber = self.make()
        read = self.metric("bytes_total")
        report = self.scrub(resume=True)
        self.assertTrue(report.complete and report.resumed)
        self.assertEqual((report.contents, report.damaged), (8, 2))
        found = [item.digest for item in report.findings]
        self.assertEqual(sorted(found), sorted([str(first), str(last)]))
        # The damaged ones are read twice.
        again = self.metric("bytes_total") - read
        self.assertEqual(again, (8 - before + 1) * SIZE)

    def test_new(self) -> None:
        """A pass that is not to resume begins anew, with no old findings."""
        self.rot(self.digests[0])
        self.interrupt()
        report = self.scrub()
        self.assertEqual((report.contents, report.findings), (7, []))
        self.assertFalse(report.resumed)

    def test_killed(self) -> None:
        """Of a process that was killed some seconds are read again."""
        done = self.scrubber.scrub(ScrubOptions(SIZE / 4), self.told.append)
        for _ in range(300):
            self.house.clock.advance(0.1)
        self.assertNoResult(done)
        remembered = self.house.settle(self.make().remembered())
        assert remembered.current is not None
        self.assertGreaterEqual(remembered.current.contents, 4)
        done.cancel()
        self.house.settle(done)

    def test_busy(self) -> None:
        """One pass at a time."""
        done = self.scrubber.scrub(ScrubOptions(1000.0), self.told.append)
        again = self.scrubber.scrub(ScrubOptions(), self.told.append)
        self.failureResultOf(again, ScrubRefused)
        done.cancel()
        self.house.settle(done)
        self.assertTrue(self.scrub().complete)


class UpgradeTests(SynchronousTestCase):
    """An index of a release that knew no scrubs."""

    def test_older_index(self) -> None:
        """It is used as it is, with what it remembers; the tables are added."""
        path = self.mktemp()
        before = Database(path, InlineDisk(), INDEX + VERIFIED, VERSION)
        row = ("sha256:x", "1", 1)
        self.successResultOf(
            before.run(
                lambda db: db.execute("INSERT INTO verified VALUES (?,?,?)", row)
            )
        )
        self.successResultOf(before.close())
        index = open_databases(
            path, InlineDisk(), SqliteLedger(":memory:", InlineDisk())
        ).index
        memory = ScrubMemory(index)
        self.assertIsNone(self.successResultOf(memory.load()).last)
        self.successResultOf(memory.complete(ScrubPass(1.0, 2.0), 0.0))
        self.assertEqual(self.successResultOf(memory.load()).last, ScrubPass(1.0, 2.0))
        found = index.run(lambda db: db.execute("SELECT * FROM verified").fetchall())
        self.assertEqual(self.successResultOf(found), [row])
        self.assertEqual(index.generation, 0)

    def test_index_that_cannot_be_written(self) -> None:
        """A pass goes on without a memory of it."""
        nowhere = Database("/proc/none/x", InlineDisk(), INDEX, VERSION)
        memory = ScrubMemory(nowhere)
        self.assertIsNone(self.successResultOf(memory.load()).current)
        for done in (memory.begin(ScrubPass(1.0)), memory.keep(ScrubPass(1.0), [], [])):
            self.successResultOf(done)
        read_at = memory.read_at(Digest.of(b"x"), "1")
        self.assertEqual(self.successResultOf(read_at), 0.0)


class SkipTests(ScrubCase):
    """What was read lately may be passed over, if that is wanted."""

    def test_skip(self) -> None:
        """Only what a scrub has read counts, not what was written or served."""
        self.assertEqual(self.scrub(skip_seconds=3600.0).contents, 8)
        young = self.push(b"young")
        report = self.scrub(skip_seconds=3600.0)
        self.assertEqual((report.contents, report.skipped), (1, 8))
        self.rot(young)
        self.assertEqual(self.scrub(skip_seconds=3600.0).damaged, 0)
        self.assertEqual(self.scrub().damaged, 1)
        self.house.clock.advance(3601)
        self.assertEqual(self.scrub(skip_seconds=3600.0).contents, 8)

    def test_replaced(self) -> None:
        """Another file is read whatever is known of the one before."""
        self.scrub()
        digest = self.digests[0]
        path = layout.blob_data(digest)
        self.house.settle(self.driver.put(path=path, content=self.contents[digest]))
        self.assertEqual(self.scrub(skip_seconds=3600.0).contents, 1)

    def test_rows_of_what_is_gone(self) -> None:
        """A complete pass forgets content that is not there any more."""
        self.scrub()
        self.house.settle(self.driver.delete(path=layout.blob(self.digests[0])))
        self.house.clock.advance(10)
        self.scrub()
        rows = self.house.settle(
            self.house.stored.databases.index.run(
                lambda db: db.execute("SELECT count(*) FROM scrubbed").fetchone()
            )
        )
        self.assertEqual(rows, (7,))
