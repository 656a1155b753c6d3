"""Indexes: Docker manifest list and OCI index (image-spec, "image-index.md")."""

from __future__ import annotations

from txregistry.spec.errors import ManifestInvalid
from txregistry.spec.manifest import fields
from txregistry.spec.manifest.model import Manifest


def read(document: fields.Document, manifest: Manifest) -> dict[str, object]:
    """Return the attributes of :class:`Manifest` that an index's fields set.

    :raise ManifestInvalid: a field is malformed, or the document is also an image
        (GHSA-qq97-vm5h-rrhg).
    """
    for field in ("layers", "config"):
        if field in document:
            raise ManifestInvalid({"field": field, "expected": "not in an index"})
    artifact_type = fields.as_text(document.get("artifactType"), "artifactType")
    return {
        "references": fields.descriptors(document.get("manifests"), "manifests"),
        "annotations": fields.as_annotations(
            document.get("annotations"), "annotations"
        ),
        "subject": fields.optional_descriptor(document.get("subject"), "subject"),
        "artifact_type": artifact_type or None,
    }
