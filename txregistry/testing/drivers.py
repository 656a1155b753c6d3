"""The suite of the storage driver's contract.

Give :func:`driver_suite` a way to make an empty driver, and bind what it gives to a
name in a test module: a driver without its suite does not exist.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable

from twisted.trial.unittest import SkipTest, SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.flow.deferred import deferred
from txregistry.flow.streams import BoundedConsumer, ShortRead
from txregistry.interfaces.driver import (
    InvalidOffset,
    InvalidPath,
    IStorageDriver,
    PathNotFound,
)
from txregistry.interfaces.files import IFileWriter, IStoredFile
from txregistry.spec.digest import Digest
from txregistry.testing.driver_case import DriverCase

MakeDriver = Callable[[SynchronousTestCase], IStorageDriver]

VALID = (
    *("/a", "/0-9/abcdefg", "/abc/1.2.3.4.5-6_zyx/123.z/4", "/.abc", "/a-.b"),
    *("/_.abc", "/Docker/docker-registry"),
)
INVALID = ("", "/", "abc", "//bcd", "/abc_123/", "/a:b", "/a/../b", "/a b", "/a\n")


def driver_suite(
    make: MakeDriver, *, is_tree: bool = True, many: int = 2000
) -> type[SynchronousTestCase]:
    """Give a test case that holds a driver to its contract.

    :param make: gives an empty driver whose Deferreds fire at once.
    :param is_tree: nothing can lie below a file. An object store cannot tell without
        asking for every directory above.
    :param many: files in a long directory.
    """

    class DriverSuite(DriverCase):
        """A storage driver does what :class:`IStorageDriver` says."""

        def setUp(self) -> None:
            super().setUp()
            self.driver = make(self)

        def test_provides_the_interfaces(self) -> None:
            """The driver, its readers and its writers provide what they should."""
            verifyObject(IStorageDriver, self.driver)
            writer = self.write("/f", 0, b"x")
            verifyObject(IFileWriter, writer)
            self.ok(writer.commit())
            verifyObject(IStoredFile, self.open("/f"))

        def test_valid_paths(self) -> None:
            """Every path of the grammar can be written and read."""
            for path in VALID:
                self.put(path, path.encode())
                self.assertEqual(self.content(path), path.encode())

        def test_invalid_paths(self) -> None:
            """Any other path is refused by name, for reading and for writing."""
            for path in INVALID:
                for done in (
                    self.driver.get(path=path),
                    self.driver.put(path=path, content=b""),
                    self.driver.reader(path=path),
                    self.driver.writer(path=path),
                    self.driver.move(source="/a", destination=path),
                ):
                    failure = self.failureResultOf(done, InvalidPath)
                    self.assertIn(self.driver.name, str(failure.value))

        def test_missing(self) -> None:
            """What is not there is PathNotFound for every verb that needs it."""
            for done in (
                self.driver.get(path="/none"),
                self.driver.reader(path="/none"),
                self.driver.stat(path="/none"),
                self.driver.list(path="/none"),
                self.driver.delete(path="/none"),
                self.driver.move(source="/none", destination="/other"),
                self.driver.get(path="/none/below"),
            ):
                failure = self.failureResultOf(done, PathNotFound)
                self.assertIn(self.driver.name, str(failure.value))

        def test_contents(self) -> None:
            """Text, other bytes, nothing, and a lot come back as they were put."""
            for content in (
                b"ascii",
                "ünïcode".encode(),
                b"\xff\x00",
                b"",
                b"x" * 2**20,
            ):
                self.put("/c", content)
                self.assertEqual(self.content("/c"), content)

        def test_identity(self) -> None:
            """A file that was replaced or written to is another, one moved is not.

            Or the driver cannot tell, and says so.
            """
            self.put("/a", b"one")
            first = self.identity("/a")
            if not first:
                self.assertEqual(self.open("/a").identity, "")
                return
            self.assertEqual(self.open("/a").identity, first)
            self.ok(self.driver.move(source="/a", destination="/b/c"))
            self.assertEqual(self.identity("/b/c"), first)
            self.put("/b/c", b"two")
            second = self.identity("/b/c")
            self.ok(self.write("/b/c", 3, b"!").commit())
            self.assertEqual(len({first, second, self.identity("/b/c")}), 3)

        def test_hash(self) -> None:
            """The first bytes of a file are hashed, and too few of them are told."""
            content = bytes(range(256)) * 70_000
            self.put("/a", content)
            for size in (0, 1, 1024 * 1024, len(content)):
                hasher = hashlib.sha256()
                self.ok(self.open("/a").hash(hasher=hasher, size=size))
                expected = hashlib.sha256(content[:size]).hexdigest()
                self.assertEqual(hasher.hexdigest(), expected, size)
            short = self.open("/a").hash(hasher=hashlib.sha256(), size=len(content) + 1)
            self.failureResultOf(short, ShortRead)

        def test_overwrite_is_whole(self) -> None:
            """A shorter content leaves nothing of a longer one."""
            self.put("/c", b"a long content")
            self.put("/c", b"short")
            self.assertEqual(self.content("/c"), b"short")

        def test_reader_offsets(self) -> None:
            """Any part can be read; from the end on there is nothing."""
            content = os.urandom(700_001)
            self.put("/r", content)
            reader = self.open("/r")
            self.assertEqual(reader.size, len(content))
            for offset in (0, 1, 262_144, 262_145, 700_000, 700_001, 800_000):
                self.assertEqual(self.read(reader, offset, None), content[offset:])
            self.assertEqual(self.read(reader, 100, 50), content[100:150])
            self.assertEqual(self.read(reader, 100, 0), b"")

        def test_reading_past_the_end_is_short(self) -> None:
            """More bytes than there are end in ShortRead after those that are."""
            self.put("/r", b"12345")
            consumer = BoundedConsumer(100)
            done = self.open("/r").read(consumer=consumer, offset=2, size=10)
            self.failureResultOf(done, ShortRead)
            self.assertEqual(consumer.content, b"345")

        def test_reader_outlives_its_file(self) -> None:
            """An open file stays readable when deleted or replaced."""
            self.put("/r", b"before")
            reader = self.open("/r")
            self.put("/r", b"after!")
            self.assertEqual(self.read(reader, 0, None), b"before")
            other = self.open("/r")
            self.ok(self.driver.delete(path="/r"))
            self.assertEqual(self.read(other, 0, None), b"after!")

        def test_closing_twice(self) -> None:
            """A reader can be closed again."""
            self.put("/r", b"x")
            reader = self.open("/r")
            reader.close()
            reader.close()

        def test_writer(self) -> None:
            """What was written and committed is there."""
            writer = self.write("/w/x", 0, b"one ", b"two")
            self.ok(writer.flush())
            self.assertEqual(writer.size, 7)
            self.ok(writer.commit())
            self.assertEqual(self.content("/w/x"), b"one two")

        def test_writer_appends_after_close(self) -> None:
            """A file that was closed without commit can be gone on with."""
            self.ok(self.write("/w", 0, b"1" * 32).close())
            self.ok(self.write("/w", 32, b"2" * 32).close())
            writer = self.write("/w", 64)
            self.assertEqual(writer.size, 64)
            self.ok(writer.commit())
            self.assertEqual(self.content("/w"), b"1" * 32 + b"2" * 32)

        def test_writer_keeps_a_part(self) -> None:
            """Only the beginning that is wanted is kept."""
            self.put("/w", b"keep and drop")
            self.ok(self.write("/w", 4, b"!").commit())
            self.assertEqual(self.content("/w"), b"keep!")
            self.ok(self.write("/w", 0, b"new").commit())
            self.assertEqual(self.content("/w"), b"new")

        def test_writer_cannot_keep_what_is_not_there(self) -> None:
            """An offset past the end, or a negative one, is InvalidOffset."""
            self.put("/w", b"12")
            for keep in (3, -1):
                done = self.driver.writer(path="/w", keep_bytes=keep)
                self.failureResultOf(done, InvalidOffset)

        def test_empty_commit(self) -> None:
            """A file of no bytes can be committed, and appended to."""
            self.ok(self.write("/w", 0).commit())
            self.assertEqual(self.content("/w"), b"")
            self.ok(self.write("/w", 0, b"x").commit())
            self.assertEqual(self.content("/w"), b"x")

        def test_writer_hashes(self) -> None:
            """The hash gets every byte that is written, and none that was kept."""
            self.put("/w", b"kept")
            hasher = Digest.of(b"").hasher()
            made = self.driver.writer(path="/w", keep_bytes=4, hasher=hasher)
            writer = self.successResultOf(made)
            writer.write(b"abc")
            writer.write(b"def")
            self.ok(writer.commit())
            self.assertTrue(Digest.of(b"abcdef").matches(hasher))

        def test_writer_that_nobody_follows(self) -> None:
            """It is as any other, whatever is done to be quick, of any length."""
            content, kept = os.urandom(3_000_001), 0
            for ends in ((100, 1_000_000), (1_000_001, len(content))):
                opened = self.driver.writer("/w", kept, read_while_written=False)
                writer = self.successResultOf(opened)
                for end in ends:
                    writer.write(content[kept:end])
                    self.ok(writer.flush())
                    self.assertEqual(writer.size, end)
                    kept = end
                self.ok(writer.close())
            self.ok(self.write("/w", kept).commit())
            self.assertEqual(self.content("/w"), content)

        def test_cancel_leaves_nothing(self) -> None:
            """A cancelled file is gone, also the second time."""
            writer = self.write("/w", 0, b"x")
            self.ok(writer.cancel())
            self.ok(writer.cancel())
            self.failureResultOf(self.driver.stat(path="/w"), PathNotFound)

        def test_growing_file_is_readable(self) -> None:
            """A reader sees what a writer has flushed since it was opened."""
            self.need_growing_files()
            writer = self.write("/g", 0, b"first")
            self.ok(writer.flush())
            reader = self.open("/g")
            writer.write(b"second")
            self.ok(writer.flush(durable=True))
            self.assertEqual(self.read(reader, 5, 6), b"second")
            self.ok(writer.close())

        def test_growing_file_can_be_moved(self) -> None:
            """A file that was flushed is moved before its writer is closed."""
            self.need_growing_files()
            writer = self.write("/g", 0, b"first")
            self.ok(writer.flush())
            self.ok(self.driver.move(source="/g", destination="/h"))
            self.ok(writer.close())
            self.assertEqual(self.content("/h"), b"first")
            self.failureResultOf(self.driver.stat(path="/g"), PathNotFound)

        def test_list(self) -> None:
            """Children are listed by full path, sorted, and no grandchildren."""
            for path in ("/d/b", "/d/a/x", "/d/c", "/da"):
                self.put(path, b"")
            found = self.ok(self.driver.list(path="/d"))
            self.assertEqual(found, ["/d/a", "/d/b", "/d/c"])
            self.assertIn("/d", self.ok(self.driver.list(path="/")))

        def test_scan(self) -> None:
            """As a list, but in any order; what is written meanwhile is not met."""
            for path in ("/d/b", "/d/a/x", "/d/c", "/da"):
                self.put(path, b"")
            name = "/d/link.0f8fad5b-d9cb-469f-a165-70867728950e.tmp"
            self.ok(self.write(name, 0, b"half").close())
            self.assertEqual(sorted(self.scan("/d")), ["/d/a", "/d/b", "/d/c"])
            self.assertIn("/d", self.scan("/"))

        def test_scan_of_nothing(self) -> None:
            """What is not there, or is a file, cannot be looked through."""
            self.put("/f", b"")
            for path in ("/none", "/f"):
                self.failureResultOf(self.scanning(path), PathNotFound)

        def test_scan_is_of_one_moment(self) -> None:
            """Children that go after it began are met, and none twice."""
            wanted = [f"/m/{number:04}" for number in range(many)]
            for path in wanted:
                self.put(path, b"")

            @deferred
            async def delete_what_is_met() -> list[str]:
                met = []
                async for path in self.driver.scan(path="/m"):
                    met.append(path)
                    await self.driver.delete(path=path, durable=False)
                return met

            met = self.successResultOf(delete_what_is_met())
            self.assertEqual(sorted(met), wanted)

        def test_list_of_the_empty_root(self) -> None:
            """The root can always be listed."""
            self.assertEqual(self.ok(self.driver.list(path="/")), [])

        def test_temporary_files_are_not_seen(self) -> None:
            """A write under way, ours or another process's, is not listed."""
            self.put("/d/link", b"x")
            name = "/d/link.0f8fad5b-d9cb-469f-a165-70867728950e.tmp"
            self.ok(self.write(name, 0, b"half").close())
            self.put("/d/tag.tmp", b"a tag may be called so")
            found = self.ok(self.driver.list(path="/d"))
            self.assertEqual(found, ["/d/link", "/d/tag.tmp"])

        def test_move(self) -> None:
            """A moved file is at its new place only, over what was there."""
            self.put("/m/a", b"a")
            self.put("/n/b", b"b")
            self.ok(self.driver.move(source="/m/a", destination="/n/b"))
            self.assertEqual(self.content("/n/b"), b"a")
            self.failureResultOf(self.driver.get(path="/m/a"), PathNotFound)

        def test_failing_move_leaves_the_destination(self) -> None:
            """Nothing happens to the destination if there is no source."""
            self.put("/n/b", b"b")
            done = self.driver.move(source="/none", destination="/n/b")
            self.failureResultOf(done, PathNotFound)
            self.assertEqual(self.content("/n/b"), b"b")

        def test_nothing_lies_below_a_file(self) -> None:
            """A path that goes on below a file cannot be written or moved to."""
            if not is_tree:
                raise SkipTest("files may lie below a file")
            self.put("/f", b"x")
            self.put("/g", b"y")
            self.failureResultOf(self.driver.put(path="/f/below", content=b""))
            self.failureResultOf(self.driver.move(source="/g", destination="/f/below"))
            self.assertEqual(self.content("/g"), b"y")

        def test_delete_is_recursive_and_exact(self) -> None:
            """All below goes, and no sibling that begins with the same letters."""
            for path in ("/a/b/c", "/a/b/d/e", "/a/bsuffix"):
                self.put(path, b"")
            self.ok(self.driver.delete(path="/a/b"))
            self.failureResultOf(self.driver.get(path="/a/b/c"), PathNotFound)
            self.assertEqual(self.content("/a/bsuffix"), b"")
            self.failureResultOf(self.driver.delete(path="/a/b"), PathNotFound)

        def test_stat(self) -> None:
            """Files have a size, directories have none, the root is one."""
            self.put("/s/f", b"123")
            file = self.ok(self.driver.stat(path="/s/f"))
            self.assertEqual((file.path, file.size), ("/s/f", 3))
            self.assertFalse(file.is_directory)
            directory = self.ok(self.driver.stat(path="/s"))
            self.assertEqual((directory.size, directory.is_directory), (0, True))
            self.assertTrue(self.ok(self.driver.stat(path="/")).is_directory)

        def test_walk_order(self) -> None:
            """Parents come before children, and a name before one it begins."""
            for path in ("/w/f1/x", "/w/f1-suffix/y", "/w/f1/a/b", "/other"):
                self.put(path, b"")
            expected = ["/w/f1", "/w/f1/a", "/w/f1/a/b", "/w/f1/x"]
            expected += ["/w/f1-suffix", "/w/f1-suffix/y"]
            self.assertEqual(self.walk("/w"), expected)
            self.assertEqual(self.walk("/none"), [])

    return DriverSuite
