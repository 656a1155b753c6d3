"""``txregistry export``: what it asks for, writes and says."""

from __future__ import annotations

import json
from contextlib import closing

from tests.cli.carrying import TOP, CarryingCase, part
from tests.ocilayout.cases import CONFIG, IMAGE, LAYER
from txregistry.cli.export import Written, export_lines
from txregistry.ocilayout.layout import path_of
from txregistry.ocilayout.places import digests_in, open_layout
from txregistry.spec.digest import Digest


class ExportTests(CarryingCase):
    """Layouts, and what is left out of them."""

    def test_directory(self) -> None:
        """Every part, and the names of the image; nothing is asked for twice."""
        arguments = ("--platform", "linux/amd64", "a:v1", self.path)
        result = self.carry("export", *arguments)
        self.assertEqual(result.exit_code, 0, result.output)
        self.assertEqual(result.stdout, "lib/a:v1: 3 parts, 3 written (700 kB)\n")
        self.assertEqual(
            self.daemon.asked[0],
            {
                "command": "export-plan",
                "options": {
                    "images": ["a:v1"],
                    "platforms": ["linux/amd64"],
                    "partial": False,
                },
            },
        )
        with closing(open_layout(str(self.path))) as layout:
            (entry,) = layout.entries()
            for content in (LAYER, CONFIG, IMAGE):
                self.assertEqual(layout.size_of(Digest.of(content)), len(content))
        self.assertEqual(entry.full_name, "docker.io/lib/a:v1")
        self.assertEqual((entry.name, entry.confirmed_at), ("lib/a:v1", 12.0))
        self.daemon.asked.clear()
        result = self.carry("export", "--json", *arguments)
        (image,) = json.loads(result.stdout)["images"]
        self.assertEqual((image["written"], image["there"]), (0, 3))
        self.assertEqual(len(self.daemon.asked), 1)

    def test_tar(self) -> None:
        """With images of a list; a signature has an entry without a name."""
        listed, tar = self.root / "list", self.root / "a.tar"
        listed.write_text("a:v1\n")
        self.daemon.content[str(Digest.of(b"signed"))] = b"signed"
        self.daemon.parts.append(part(b"signed", "manifest", refers=True))
        result = self.carry("export", "-q", "--file", listed, tar)
        self.assertEqual((result.exit_code, result.output), (0, ""))
        with closing(open_layout(str(tar))) as layout:
            names = [entry.identity for entry in layout.entries()]
        self.assertEqual(names, ["docker.io/lib/a:v1", ""])

    def test_have(self) -> None:
        """What the other side has is left out, but for manifests."""
        had = self.root / "had"
        had.write_text(f"{Digest.of(LAYER)} 5\n{TOP}\n")
        result = self.carry("export", "--have", had, "a:v1", self.path)
        self.assertIn("2 written", result.stdout)
        self.assertIn("1 there already", result.stdout)
        expected = {Digest.of(CONFIG), Digest.of(IMAGE)}
        self.assertEqual(digests_in(str(self.path)), expected)

    def test_list(self) -> None:
        """What is here is listed as --have reads it, and nothing is written."""
        result = self.carry("export", "--list", "a:v1", "b:v1")
        self.assertEqual(result.exit_code, 0, result.output)
        self.assertTrue(self.daemon.asked[0]["options"]["partial"])
        listed = self.root / "list"
        listed.write_text(result.stdout)
        self.assertEqual(
            digests_in(str(listed)),
            {Digest.of(content) for content in (LAYER, CONFIG, IMAGE)},
        )
        result = self.carry("export", "--list", "--json", "a:v1")
        sizes = json.loads(result.stdout)["digests"]
        self.assertEqual(sizes[str(Digest.of(LAYER))], len(LAYER))

    def test_refused(self) -> None:
        """An image that is not whole, or went meanwhile, gives no layout."""
        self.daemon.refusals["export-plan"] = "lib/a:v1: not here"
        result = self.carry("export", "a:v1", self.path)
        self.assertEqual((result.exit_code, result.stderr), (1, "lib/a:v1: not here\n"))
        self.assertFalse(self.path.exists())
        self.daemon.refusals = {"content": "it is not here any more"}
        tar = self.root / "a.tar"
        result = self.carry("export", "a:v1", tar)
        self.assertEqual((result.exit_code, tar.exists()), (1, False))
        self.assertEqual(list(self.root.glob(".*")), [])

    def test_wrong_content(self) -> None:
        """What does not match its digest, for whatever reason, is not written."""
        self.daemon.content[str(Digest.of(LAYER))] = b"x" * len(LAYER)
        result = self.carry("export", "a:v1", self.path)
        self.assertEqual(result.exit_code, 1)
        self.assertIn("does not match its digest", result.stderr)
        self.assertFalse((self.path / path_of(Digest.of(LAYER))).exists())
        self.assertFalse((self.path / "index.json").exists())

    def test_ends(self) -> None:
        """A daemon that ends in the middle of content is told."""
        self.daemon.do_content = lambda connection, lines, options: connection.sendall(
            b'{"content": 700000}\nbegin'
        )
        result = self.carry("export", "a:v1", self.path)
        self.assertIn("the daemon ended before it was done", result.stderr)

    def test_usage(self) -> None:
        """A target has to be said, and what it is for."""
        for arguments, told in (
            ((), "name a directory or a tar"),
            ((self.path,), "name an image"),
            (("--list",), "name an image"),
        ):
            result = self.run_command("export", "-c", self.config, *map(str, arguments))
            self.assertEqual(result.exit_code, 2)
            self.assertIn(told, result.stderr)
        result = self.run_command("export", "-c", self.config, "a", str(self.path))
        self.assertIn("no daemon answers", result.stderr)

    def test_lines(self) -> None:
        """Where nothing was there it is not said."""
        self.assertEqual(
            "".join(export_lines(Written("a:v1", TOP, 3, 3, 5_000))),
            "a:v1: 3 parts, 3 written (5 kB)",
        )
