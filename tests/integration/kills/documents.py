"""Manifests as they are pushed, and names for bytes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import attrs

OCI = "application/vnd.oci.image"
KINDS = {kind: f"{OCI}.{kind}.v1+json" for kind in ("manifest", "index", "config")}
LAYER = f"{OCI}.layer.v1.tar+gzip"

#: What a client says it can read.
ACCEPT = ", ".join((KINDS["manifest"], KINDS["index"]))


def digest_of(content: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


@attrs.frozen
class Document:
    """A manifest: its bytes, and what they refer to.

    :ivar blobs: digests of its configuration and layers.
    :ivar children: digests of the manifests of an index.
    :ivar subject: the digest of what it says something about.
    """

    kind: str
    content: bytes
    blobs: tuple[str, ...] = ()
    children: tuple[str, ...] = ()
    subject: str | None = None

    @property
    def digest(self) -> str:
        return digest_of(self.content)

    @property
    def descriptor(self) -> dict[str, Any]:
        size = len(self.content)
        return {"mediaType": self.kind, "digest": self.digest, "size": size}


def image(
    note: str, blobs: Sequence[tuple[str, int]], subject: Document | None = None
) -> Document:
    """Make an image of a configuration and layers, given as digests and sizes."""
    config, *layers = [{"digest": digest, "size": size} for digest, size in blobs]
    value: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": KINDS["manifest"],
        "config": {"mediaType": KINDS["config"], **config},
        "layers": [{"mediaType": LAYER, **layer} for layer in layers],
        "annotations": {"note": note},
    }
    if subject is not None:
        value |= {"subject": subject.descriptor, "artifactType": "application/note"}
    return Document(
        KINDS["manifest"],
        json.dumps(value).encode(),
        blobs=tuple(digest for digest, _ in blobs),
        subject=None if subject is None else subject.digest,
    )


def index(note: str, children: Sequence[Document]) -> Document:
    """Make an index of images."""
    value = {
        "schemaVersion": 2,
        "mediaType": KINDS["index"],
        "manifests": [child.descriptor for child in children],
        "annotations": {"note": note},
    }
    return Document(
        KINDS["index"],
        json.dumps(value).encode(),
        children=tuple(child.digest for child in children),
    )
