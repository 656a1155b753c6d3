"""Small real images, made on the spot as OCI layouts."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any

OCI = "application/vnd.oci.image"


class Layout:
    """An OCI image layout directory that is being filled."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "blobs" / "sha256").mkdir(parents=True)
        (path / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')

    def blob(self, content: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(content).hexdigest()
        (self.path / "blobs" / "sha256" / digest).write_bytes(content)
        return {"digest": f"sha256:{digest}", "size": len(content)}

    def document(self, kind: str, value: dict[str, Any]) -> dict[str, Any]:
        return {"mediaType": f"{OCI}.{kind}.v1+json"} | self.blob(
            json.dumps(value).encode()
        )

    def image(self, architecture: str, *files: int | bytes) -> dict[str, Any]:
        """Make an image of one layer for each file: its content, or a random size."""
        layers, diffs = [], []
        for number, file in enumerate(files):
            content = os.urandom(file) if isinstance(file, int) else file
            plain = _tar(f"{architecture}-{number}", content)
            diffs.append("sha256:" + hashlib.sha256(plain).hexdigest())
            layer = self.blob(gzip.compress(plain, 1, mtime=0))
            layers.append({"mediaType": f"{OCI}.layer.v1.tar+gzip"} | layer)
        config = self.document(
            "config",
            {
                "architecture": architecture,
                "os": "linux",
                "config": {"Cmd": ["/none"]},
                "rootfs": {"type": "layers", "diff_ids": diffs},
                "history": [{"created_by": "test"} for _ in diffs],
            },
        )
        manifest = self.document(
            "manifest",
            {
                "schemaVersion": 2,
                "mediaType": f"{OCI}.manifest.v1+json",
                "config": config,
                "layers": layers,
            },
        )
        platform = {"architecture": architecture, "os": "linux"}
        return manifest | {"platform": platform}

    def tag(self, name: str, *children: dict[str, Any], index: bool) -> str:
        """Name what was made; give its digest."""
        found = children[0]
        if index:
            found = self.document(
                "index",
                {
                    "schemaVersion": 2,
                    "mediaType": f"{OCI}.index.v1+json",
                    "manifests": list(children),
                },
            )
        path = self.path / "index.json"
        top = {"schemaVersion": 2, "manifests": []}
        if path.exists():
            top = json.loads(path.read_text())
        annotations = {"org.opencontainers.image.ref.name": name}
        top["manifests"].append(found | {"annotations": annotations})
        path.write_text(json.dumps(top))
        return str(found["digest"])


def _tar(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        entry.mode = 0o644
        archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
