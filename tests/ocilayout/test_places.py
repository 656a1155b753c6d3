"""Directories and tars, by their names."""

from __future__ import annotations

from contextlib import closing

from tests.ocilayout.cases import CONFIG, IMAGE, LAYER, LayoutCase
from txregistry.ocilayout.archive import ArchiveReader, ArchiveWriter
from txregistry.ocilayout.directory import LayoutDirectory
from txregistry.ocilayout.index import LayoutError
from txregistry.ocilayout.places import begin_layout, digests_in, open_layout
from txregistry.spec.digest import Digest

ALL = {Digest.of(content) for content in (LAYER, CONFIG, IMAGE)}


class PlacesTests(LayoutCase):
    """Where a layout is read from and written to."""

    def test_begin(self) -> None:
        """A tar by its name, else a directory; another file is refused."""
        tar = self.root / "a.tar"
        self.assertIsInstance(begin_layout(str(tar)), ArchiveWriter)
        tar.mkdir()
        for path in (tar, self.root / "new"):
            self.assertIsInstance(begin_layout(str(path)), LayoutDirectory)
        (self.root / "file").write_text("")
        with self.assertRaisesRegex(LayoutError, "no directory, and no tar"):
            begin_layout(str(self.root / "file"))

    def test_damaged_target(self) -> None:
        """It is told before anything is written."""
        self.write_image()
        (self.path / "index.json").write_text("{")
        with self.assertRaisesRegex(LayoutError, "index.json"):
            begin_layout(str(self.path))

    def test_open(self) -> None:
        """A file is a tar, whatever it is called."""
        path = self.write_tar("tar")
        with closing(open_layout(path)) as layout:
            self.assertIsInstance(layout, ArchiveReader)
        self.write_image()
        self.assertIsInstance(open_layout(str(self.path)), LayoutDirectory)

    def write_tar(self, name: str) -> str:
        path = self.root / name
        writer = ArchiveWriter(path)
        for content in (LAYER, CONFIG, IMAGE):
            self.add(writer, content)
        writer.finish([])
        return str(path)

    def test_digests(self) -> None:
        """What is in a layout, or in a list."""
        self.assertEqual(digests_in(self.write_tar("b.tar")), ALL)
        self.write_image()
        self.assertEqual(digests_in(str(self.path)), ALL)
        listed = self.root / "list"
        lines = [f"{digest} 123" for digest in ALL]
        listed.write_text("# had\n\n" + "\n".join(lines) + "  # the last\n")
        self.assertEqual(digests_in(str(listed)), ALL)
        listed.write_text("x 1\n")
        with self.assertRaisesRegex(LayoutError, "line 1: 'x' is no digest"):
            digests_in(str(listed))
        with self.assertRaisesRegex(LayoutError, "No such file"):
            digests_in(str(self.root / "none"))
