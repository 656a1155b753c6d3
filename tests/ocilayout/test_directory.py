"""Layouts as directories."""

from __future__ import annotations

import errno
import io
import json
import os
from functools import partial

from tests.ocilayout.cases import CONFIG, IMAGE, LAYER, LayoutCase
from txregistry.ocilayout import directory
from txregistry.ocilayout.directory import LayoutDirectory
from txregistry.ocilayout.index import LayoutError
from txregistry.ocilayout.layout import path_of
from txregistry.spec.digest import Digest


class DirectoryTests(LayoutCase):
    """Written, read, added to."""

    def test_round_trip(self) -> None:
        """Everything is where the specification has it."""
        layout = self.write_image()
        blobs = sorted(path_of(Digest.of(item)) for item in (LAYER, CONFIG, IMAGE))
        expected = [f"layout/{name}" for name in (*blobs, "index.json", "oci-layout")]
        self.assertEqual(self.files(), expected)
        self.assertEqual(
            json.loads((self.path / "oci-layout").read_text()),
            {"imageLayoutVersion": "1.0.0"},
        )
        digest = Digest.of(LAYER)
        self.assertEqual(layout.size_of(digest), len(LAYER))
        with layout.open(digest) as file:
            self.assertEqual(file.read(), LAYER)
        self.assertEqual(
            set(layout.digests()), {Digest.of(item) for item in (LAYER, CONFIG, IMAGE)}
        )
        self.assertIsNone(layout.size_of(Digest.of(b"x")))
        layout.close()

    def test_goes_on(self) -> None:
        """What is there is not written again, and other images stay."""
        layout = self.write_image()
        self.assertTrue(layout.has(Digest.of(LAYER), len(LAYER)))
        self.assertFalse(layout.has(Digest.of(LAYER), 5))
        layout.finish([self.entry(IMAGE, "lib/b:v1")])
        names = [entry.name for entry in layout.entries()]
        self.assertEqual(names, ["lib/a:v1", "lib/b:v1"])

    def test_nothing_half_written(self) -> None:
        """What does not match, or ends early, leaves nothing; nor counts the rest."""
        layout = LayoutDirectory(self.path)
        self.path.mkdir()
        for content in (b"wrong", b"wro"):
            with self.assertRaises(LayoutError):
                layout.add(Digest.of(b"right"), 5, io.BytesIO(content))
        self.assertEqual(self.files(), [])
        self.add(layout, CONFIG)
        layout.abandon()
        with self.assertRaisesRegex(LayoutError, "is no OCI image layout"):
            layout.entries()
        self.assertTrue(layout.has(Digest.of(CONFIG), len(CONFIG)))

    def test_through_no_link(self) -> None:
        """What somebody has put where a file is begun is not written through."""
        victim = self.root / "victim"
        victim.write_text("precious")
        self.path.mkdir()
        digest = Digest.of(CONFIG)
        for name in (f".{digest.hex}.partial", ".index.json.partial"):
            (self.path / name).symlink_to(victim)
        layout = LayoutDirectory(self.path)
        self.add(layout, CONFIG)
        layout.finish([])
        self.assertEqual(victim.read_text(), "precious")

    def test_special_files(self) -> None:
        """A pipe would never end, and a link may lead to a device."""
        layout = self.write_image()
        digest, other = Digest.of(LAYER), self.root / "other"
        index, blob = self.path / "index.json", self.path / path_of(digest)
        for path in (index, blob):
            path.replace(other)
            for make in (os.mkfifo, partial(os.symlink, other)):
                make(path)
                with self.assertRaises(LayoutError):
                    layout.entries() if path is index else layout.open(digest)
                if path is blob:
                    self.assertIsNone(layout.size_of(digest))
                path.unlink()
            other.replace(path)
        self.assertEqual(layout.size_of(digest), len(LAYER))

    def test_linked_directories(self) -> None:
        """Nothing is written outside of it."""
        elsewhere = self.root / "elsewhere"
        elsewhere.mkdir()
        for name in ("blobs", "blobs/sha256"):
            path = self.root / name.replace("/", "-") / name
            path.parent.mkdir(parents=True)
            path.symlink_to(elsewhere)
            layout = LayoutDirectory(self.root / name.replace("/", "-"))
            with self.assertRaisesRegex(LayoutError, "is a link"):
                self.add(layout, CONFIG)
        self.assertEqual(list(elsewhere.iterdir()), [])

    def test_disk_that_is_full(self) -> None:
        """What cannot be made durable leaves nothing."""
        layout = LayoutDirectory(self.path)

        def refuse(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, "full")

        self.patch(os, "fsync", refuse)
        with self.assertRaises(OSError):
            self.add(layout, CONFIG)
        self.assertEqual(self.files(), [])

    def test_foreign_files(self) -> None:
        """What is no blob by its name is none."""
        layout = self.write_image()
        (self.path / "blobs/sha256/notes").write_text("x")
        self.assertEqual(len(list(layout.digests())), 3)

    def test_large_index(self) -> None:
        """It is not read to its end."""
        layout = self.write_image()
        self.patch(directory, "MAX_INDEX_BYTES", 100)
        self.assertRaisesRegex(LayoutError, "longer than 100", layout.entries)
