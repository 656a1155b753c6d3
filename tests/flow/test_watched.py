"""Files that are reloaded when they change."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow.watched import WatchedFile, file_stamps


class WatchedCase(SynchronousTestCase):
    """A small file, and what was parsed of it."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.parsed: list[bytes] = []

    def write(self, content: bytes) -> None:
        """Replace the file, as an editor does."""
        new = self.path.with_suffix(".new")
        new.write_bytes(content)
        new.replace(self.path)

    def parse(self, content: bytes) -> int:
        self.parsed.append(content)
        return int(content)


class WatchedFileTests(WatchedCase):
    """The content of a file."""

    def setUp(self) -> None:
        super().setUp()
        self.file = WatchedFile(str(self.path), self.parse)

    def test_unchanged(self) -> None:
        """A file that has not changed is parsed once."""
        self.write(b"1")
        self.assertEqual([self.file.read() for _ in range(3)], [1, 1, 1])
        self.assertEqual(self.parsed, [b"1"])

    def test_changed(self) -> None:
        """One that was replaced is read again, at the next question."""
        self.write(b"1")
        self.file.read()
        self.write(b"2")
        self.assertEqual([self.file.read(), self.file.read()], [2, 2])
        self.assertEqual(self.parsed, [b"1", b"2"])

    def test_invalid_from_the_start(self) -> None:
        """One that was never valid is an error that names it, each time."""
        self.write(b"x")
        for _ in range(2):
            error = self.assertRaises(ValueError, self.file.read)
            self.assertIn(str(self.path), str(error))
        self.write(b"2")
        self.assertEqual(self.file.read(), 2)

    def test_invalid_later(self) -> None:
        """The last value stays in effect until it is corrected; it is logged once."""
        self.write(b"1")
        self.file.read()
        self.write(b"x")
        with capturedLogs() as events:
            self.assertEqual([self.file.read(), self.file.read()], [1, 1])
        (told,) = map(formatEvent, events)
        self.assertIn(str(self.path), told)
        self.write(b"3")
        self.assertEqual(self.file.read(), 3)

    def test_gone(self) -> None:
        """One that is gone is an ``OSError``, not what it once was."""
        self.assertRaises(OSError, self.file.read)
        self.write(b"1")
        self.file.read()
        self.path.unlink()
        self.assertRaises(OSError, self.file.read)


class SalvageTests(WatchedCase):
    """A file of which something is taken even if the rest is wrong."""

    def setUp(self) -> None:
        super().setUp()
        self.file = WatchedFile(str(self.path), self.parse, lambda content: -1)

    def test_first_is_strict(self) -> None:
        """The first content must be valid; later ones are taken as they are."""
        self.write(b"x")
        self.assertRaises(ValueError, self.file.read)
        self.write(b"1")
        self.assertEqual(self.file.read(), 1)
        self.write(b"x")
        self.assertEqual(self.file.read(), -1)
        self.assertEqual(self.parsed, [b"x", b"1"])


class StampTests(WatchedCase):
    """How a change is seen."""

    def test_each(self) -> None:
        """A change of time, of size, or of the file itself; of any of the files."""
        other = Path(self.mktemp())
        other.write_bytes(b"")
        self.write(b"1")
        seen = [file_stamps(str(self.path), str(other))]

        def look() -> None:
            seen.append(file_stamps(str(self.path), str(other)))

        look()
        self.assertEqual(seen.pop(), seen[0])
        os.utime(self.path, ns=(1, 1))
        look()
        self.path.write_bytes(b"22")
        os.utime(self.path, ns=(1, 1))
        look()
        (copy := self.path.with_suffix(".copy")).write_bytes(b"33")
        os.utime(copy, ns=(1, 1))
        copy.replace(self.path)
        look()
        os.utime(other, ns=(5, 5))
        look()
        self.assertEqual(len(set(seen)), 5)
