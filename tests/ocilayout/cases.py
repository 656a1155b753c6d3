"""Layouts in a directory of their own."""

from __future__ import annotations

import io
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txregistry.ocilayout.directory import LayoutDirectory
from txregistry.ocilayout.index import IndexEntry, make_entry
from txregistry.ocilayout.layout import LayoutWriter
from txregistry.spec import mediatypes
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest

LAYER, CONFIG = b"l" * 700_000, b"config"


def described(
    content: bytes, media_type: str = "application/x", **more: Any
) -> dict[str, Any]:
    """Describe content, as manifests do."""
    digest = str(Digest.of(content))
    return {"mediaType": media_type, "digest": digest, "size": len(content), **more}


def document(media_type: str, **fields: Any) -> bytes:
    """Write a manifest."""
    return json.dumps({"schemaVersion": 2, "mediaType": media_type, **fields}).encode()


IMAGE = document(
    mediatypes.OCI_MANIFEST, config=described(CONFIG), layers=[described(LAYER)]
)


class LayoutCase(SynchronousTestCase):
    """A directory."""

    def setUp(self) -> None:
        self.root = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.root)
        self.path = self.root / "layout"

    def add(self, writer: LayoutWriter, content: bytes) -> Digest:
        digest = Digest.of(content)
        writer.add(digest, len(content), io.BytesIO(content))
        return digest

    def entry(
        self,
        content: bytes,
        name: str = "",
        full_name: str = "",
        confirmed_at: float | None = None,
    ) -> IndexEntry:
        kind = json.loads(content)["mediaType"]
        descriptor = Descriptor(Digest.of(content), len(content), kind)
        return make_entry(descriptor, full_name, name, confirmed_at)

    def write_image(self, name: str = "lib/a:v1") -> LayoutDirectory:
        """Write a layout of one image."""
        layout = LayoutDirectory(self.path)
        for content in (LAYER, CONFIG, IMAGE):
            self.add(layout, content)
        layout.finish([self.entry(IMAGE, name)])
        return layout

    def files(self) -> list[str]:
        """Give all files, and none that is half-written."""
        found = (path for path in self.root.rglob("*") if path.is_file())
        return sorted(path.relative_to(self.root).as_posix() for path in found)
