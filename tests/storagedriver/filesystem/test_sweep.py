"""What a crash left of writes."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from txregistry.storagedriver.filesystem.sweep import sweep_some

BEFORE = 1000.0


class SweepTests(SynchronousTestCase):
    """Temporary files, some directories at a time."""

    def setUp(self) -> None:
        self.root = Path(self.mktemp())
        self.root.mkdir()

    def leave(self, directory: str, age: float = 1, name: str = "") -> Path:
        """Leave a file that is so many seconds older than what may go."""
        path = self.root / directory / (name or f"link.{uuid.uuid4()}.tmp")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (0, BEFORE - age))
        return path

    def sweep(self) -> list[int]:
        """Sweep to the end; give what each call said."""
        directories = os.walk(self.root)
        return list(iter(lambda: sweep_some(directories, BEFORE), None))

    def test_old_ones(self) -> None:
        """Old ones go, wherever; younger ones and other files stay."""
        gone = [self.leave("."), self.leave("a/b")]
        stays = [self.leave("a", 0), self.leave("a", -1), self.leave("a", 1, "x.tmp")]
        self.assertEqual(self.sweep(), [2])
        self.assertEqual([path.exists() for path in gone], [False, False])
        self.assertEqual([path.exists() for path in stays], [True] * 3)

    def test_foreign_directories(self) -> None:
        """Directories of other programs are not entered."""
        foreign = self.leave("lost+found")
        self.assertEqual(self.sweep(), [0])
        self.assertTrue(foreign.exists())

    def test_in_parts(self) -> None:
        """After 256 directories it lets others work, and is then called again."""
        for number in range(300):
            self.leave(f"d{number}")
        counts = self.sweep()
        self.assertEqual((len(counts), sum(counts)), (2, 300))
        self.assertEqual(self.sweep(), [0, 0])

    def test_renamed_meanwhile(self) -> None:
        """One that is no longer there is not counted, and is no error."""
        path = self.leave(".")
        walked = [(str(self.root), [], [path.name])]
        path.rename(self.root / "link")
        self.assertEqual(sweep_some(iter(walked), BEFORE), 0)

    def test_cannot_be_deleted(self) -> None:
        """One that cannot be deleted is an error."""
        self.leave(".")

        def refuse(path: str) -> None:
            raise PermissionError(13, "not yours")

        self.patch(os, "unlink", refuse)
        self.assertRaises(PermissionError, self.sweep)
