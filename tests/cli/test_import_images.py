"""``txregistry import``: what it sends and says."""

from __future__ import annotations

import io
import json

from tests.cli.carrying import TOP, CarryingCase
from tests.ocilayout.cases import CONFIG, IMAGE, LAYER
from txregistry.cli import import_images as importing
from txregistry.ocilayout.directory import LayoutDirectory
from txregistry.ocilayout.index import LayoutError, make_entry
from txregistry.ocilayout.layout import path_of
from txregistry.spec import mediatypes
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest

ALL = {str(Digest.of(content)): content for content in (LAYER, CONFIG, IMAGE)}


class ImportTests(CarryingCase):
    """Layouts, and what is not sent."""

    def write(self, *names: str, **fields: object) -> None:
        """Write a layout of one image by several names."""
        layout = LayoutDirectory(self.path)
        for content in (LAYER, CONFIG, IMAGE):
            layout.add(Digest.of(content), len(content), io.BytesIO(content))
        found = Descriptor(Digest.parse(TOP), len(IMAGE), mediatypes.OCI_MANIFEST)
        layout.finish([make_entry(found, "", name, 12.5) for name in names])

    def commands(self) -> list[str]:
        return [question["command"] for question in self.daemon.asked]

    def test_all(self) -> None:
        """Blobs, then manifests, then the tag, with when it was confirmed."""
        self.write("lib/a:v1")
        result = self.carry("import", self.path)
        self.assertEqual(result.exit_code, 0, result.output)
        self.assertEqual(result.stdout, "lib/a:v1: 3 parts, 2 sent (700 kB)\n")
        self.assertEqual(self.daemon.taken, ALL)
        self.assertEqual(
            self.commands(),
            [
                "import-lacks",
                "import-blob",
                "import-blob",
                "import-manifest",
                "import-complete",
            ],
        )
        manifest = self.daemon.asked[3]["options"]
        self.assertEqual(manifest["media_type"], mediatypes.OCI_MANIFEST)
        self.assertEqual(
            self.daemon.asked[4]["options"],
            {"image": "lib/a:v1", "digest": TOP, "confirmed_at": 12},
        )

    def test_here_already(self) -> None:
        """What is here is not sent, and need not be in the layout."""
        self.write("lib/a:v1")
        self.daemon.lacking = []
        (self.path / path_of(Digest.of(LAYER))).unlink()
        result = self.carry("import", "--json", self.path)
        (image,) = json.loads(result.stdout)["images"]
        self.assertEqual((image["sent"], image["failure"]), (0, ""))
        self.assertEqual(set(self.daemon.taken), {TOP})

    def test_nowhere(self) -> None:
        """An image that lacks a blob fails, and the others come."""
        self.write("lib/a:v1", "lib/b:v1")
        self.daemon.lacking = [str(Digest.of(LAYER))]
        (self.path / path_of(Digest.of(LAYER))).unlink()
        result = self.carry("import", self.path)
        self.assertEqual(result.exit_code, 1)
        told = f"{Digest.of(LAYER)} is neither in the layout nor here"
        self.assertEqual(result.stderr, f"lib/a:v1: {told}\nlib/b:v1: {told}\n")
        self.assertNotIn("import-complete", self.commands())
        self.daemon.lacking = []
        result = self.carry("import", "-q", self.path)
        self.assertEqual((result.exit_code, result.output), (0, ""))

    def test_refused(self) -> None:
        """What the daemon does not take is told, also in the middle."""
        self.write("lib/a:v1")
        self.daemon.refusals["import-blob"] = "no room"
        result = self.carry("import", self.path)
        self.assertEqual((result.exit_code, result.stderr), (1, "lib/a:v1: no room\n"))
        del self.daemon.refusals["import-blob"]

        def refuse(connection, lines, options) -> object:
            connection.sendall(b'{"send": 1}\n{"error": "disk full"}\n')
            return None

        self.daemon.do_import_blob = refuse
        result = self.carry("import", self.path)
        self.assertEqual(result.stderr, "lib/a:v1: disk full\n")

    def test_later(self) -> None:
        """A tag that was confirmed later stays."""
        self.write("lib/a:v1")
        self.daemon.stands = False
        result = self.carry("import", self.path)
        self.assertEqual(result.exit_code, 0)
        self.assertIn("its tag was confirmed later", result.stdout)

    def test_some(self) -> None:
        """One of several, by its name or digest."""
        self.write("lib/a:v1", "lib/b:v1")
        result = self.carry("import", self.path, "lib/b:v1")
        self.assertIn("lib/b:v1: 3 parts", result.stdout)
        self.assertNotIn("lib/a:v1", result.stdout)
        result = self.carry("import", "--name", "team/x:7", self.path, TOP)
        self.assertIn("team/x:7: 3 parts", result.stdout)
        result = self.carry("import", self.path, "lib/c:v1")
        told = "the layout has no image lib/c:v1; it has: lib/a:v1, lib/b:v1\n"
        self.assertEqual((result.exit_code, result.stderr), (1, told))

    def test_names(self) -> None:
        """One without a name needs one, and of several each has its own."""
        self.write("")
        result = self.carry("import", self.path)
        self.assertIn("has no name; say --name IMAGE", result.stderr)
        result = self.carry("import", "--name", "a:v1", self.path)
        self.assertEqual(result.exit_code, 0)
        self.write("lib/a:v1", "lib/b:v1")
        result = self.carry("import", "--name", "a:v1", self.path)
        self.assertIn("has 2 images: name one for --name", result.stderr)
        layout = LayoutDirectory(self.root / "empty")
        layout.finish([])
        result = self.carry("import", self.root / "empty")
        self.assertIn("the layout names no image", result.stderr)

    def test_digests(self) -> None:
        """An image that is named by a digest is that one."""
        self.write("lib/a:v1")
        wrong = f"lib/a:v1@{Digest.of(b'x')}"
        result = self.carry("import", "--name", wrong, self.path)
        self.assertEqual(result.exit_code, 1)
        self.assertIn(f"{wrong}: the layout has {TOP}", result.stderr)
        result = self.carry("import", "--name", f"lib/a@{TOP}", self.path)
        self.assertEqual(result.exit_code, 0)

    def test_medium_that_fails(self) -> None:
        """The image that cannot be read is named, and the others come."""
        self.write("lib/a:v1", "lib/b:v1")
        self.daemon.lacking = [str(Digest.of(LAYER))]
        reads: list[object] = []

        def read(source: object, digest: Digest, size: int = 0) -> bytes:
            reads.append(digest)
            raise LayoutError(f"{digest} cannot be read: Input/output error")

        self.patch(importing, "read_piece", read)
        result = self.carry("import", self.path)
        self.assertEqual((result.exit_code, len(reads)), (1, 2))
        for name in ("lib/a:v1", "lib/b:v1"):
            self.assertIn(f"{name}: {Digest.of(LAYER)} cannot be read", result.stderr)

    def test_no_layout(self) -> None:
        """It is said what is there instead."""
        result = self.carry("import", self.root / "none")
        self.assertEqual(result.exit_code, 1)
        self.assertIn("is no OCI image layout", result.stderr)
        result = self.carry("import", "--json", self.config)
        self.assertIn("is no tar", json.loads(result.stdout)["error"])

    def test_nobody(self) -> None:
        """Without a daemon nothing is taken in."""
        self.write("lib/a:v1")
        result = self.run_command("import", "-c", self.config, str(self.path))
        self.assertEqual(result.exit_code, 1)
        self.assertIn("no daemon answers", result.stderr)
