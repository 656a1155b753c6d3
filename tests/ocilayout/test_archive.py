"""Layouts as tars."""

from __future__ import annotations

import gzip
import io
import tarfile
from contextlib import closing

from tests.ocilayout.cases import CONFIG, IMAGE, LAYER, LayoutCase
from txregistry.ocilayout import archive
from txregistry.ocilayout.archive import ArchiveReader, ArchiveWriter
from txregistry.ocilayout.index import LayoutError
from txregistry.spec.digest import Digest


class ArchiveTests(LayoutCase):
    """Written once, and read."""

    def setUp(self) -> None:
        super().setUp()
        self.tar = self.root / "layout.tar"

    def write(self) -> None:
        writer = ArchiveWriter(self.tar)
        for content in (LAYER, CONFIG, IMAGE):
            self.assertFalse(writer.has(Digest.of(content), len(content)))
            self.add(writer, content)
            self.assertTrue(writer.has(Digest.of(content), len(content)))
        self.assertFalse(self.tar.exists())
        writer.finish([self.entry(IMAGE, "lib/a:v1")])
        writer.abandon()

    def test_round_trip(self) -> None:
        """It appears when it is whole."""
        self.write()
        self.assertEqual(self.files(), ["layout.tar"])
        with closing(ArchiveReader(self.tar)) as layout:
            (entry,) = layout.entries()
            self.assertEqual(entry.name, "lib/a:v1")
            for content in (LAYER, CONFIG):
                digest = Digest.of(content)
                self.assertEqual(layout.size_of(digest), len(content))
                with layout.open(digest) as file:
                    self.assertEqual(file.read(), content)
            self.assertEqual(len(set(layout.digests())), 3)
            self.assertIsNone(layout.size_of(Digest.of(b"x")))

    def test_abandoned(self) -> None:
        """One that fails leaves what was there."""
        self.tar.write_bytes(b"older")
        writer = ArchiveWriter(self.tar)
        self.add(writer, CONFIG)
        for content in (b"wrong", b"wro"):
            with self.assertRaises(LayoutError):
                writer.add(Digest.of(b"right"), 5, io.BytesIO(content))
        writer.abandon()
        self.assertEqual(self.files(), ["layout.tar"])
        self.assertEqual(self.tar.read_bytes(), b"older")
        ArchiveWriter(self.tar).abandon()

    def test_by_others(self) -> None:
        """Names may begin with ``./``; directories and links are nothing."""
        self.write_image()
        (self.path / "blobs/sha256" / ("0" * 64)).symlink_to("/etc/passwd")
        with tarfile.open(self.tar, "w") as tar:
            tar.add(self.path, ".")
        with closing(ArchiveReader(self.tar)) as layout:
            self.assertEqual(layout.entries()[0].name, "lib/a:v1")
            self.assertEqual(len(set(layout.digests())), 3)

    def test_greedy(self) -> None:
        """Heads that are long, or make no sense, and sparse members are refused."""
        header = tarfile.TarInfo("x")
        for kind in (tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE):
            header.type, header.size = kind, 2**31
            self.tar.write_bytes(header.tobuf(tarfile.GNU_FORMAT) + bytes(10_240))
            self.assertRaisesRegex(LayoutError, "too long", ArchiveReader, self.tar)
        header.type, header.size = tarfile.GNUTYPE_SPARSE, 0
        self.tar.write_bytes(header.tobuf(tarfile.GNU_FORMAT) + bytes(10_240))
        self.assertRaisesRegex(LayoutError, "sparse", ArchiveReader, self.tar)
        attributes = {"GNU.sparse.map": "x,y", "GNU.sparse.size": "1"}
        with tarfile.open(self.tar, "w") as tar:
            odd = tarfile.TarInfo("odd")
            odd.pax_headers = attributes
            tar.addfile(odd)
        self.assertRaises(LayoutError, ArchiveReader, self.tar)

    def test_none(self) -> None:
        """What is no tar, or no layout, or too large, is told."""
        self.write()
        whole = self.tar.read_bytes()
        for content in (b"x" * 2000, gzip.compress(whole)):
            self.tar.write_bytes(content)
            self.assertRaisesRegex(LayoutError, "is no tar", ArchiveReader, self.tar)
        with tarfile.open(self.tar, "w"):
            pass
        with closing(ArchiveReader(self.tar)) as layout:
            self.assertRaisesRegex(LayoutError, "no index.json", layout.entries)
        self.tar.write_bytes(whole)
        self.patch(archive, "MAX_INDEX_BYTES", 100)
        with closing(ArchiveReader(self.tar)) as layout:
            self.assertRaisesRegex(LayoutError, "longer than 100", layout.entries)
        self.patch(archive, "MAX_MEMBERS", 2)
        self.assertRaisesRegex(
            LayoutError, "more than 2 members", ArchiveReader, self.tar
        )
        self.assertRaisesRegex(
            LayoutError, "is no tar", ArchiveReader, self.root / "none"
        )
