"""Image manifests: Docker schema 2 and OCI (image-spec, "manifest.md")."""

from __future__ import annotations

from txregistry.spec.errors import ManifestInvalid
from txregistry.spec.manifest import fields
from txregistry.spec.manifest.model import Manifest


def read(document: fields.Document, manifest: Manifest) -> dict[str, object]:
    """Return the attributes of :class:`Manifest` that an image's fields set.

    :raise ManifestInvalid: a field is malformed, or the document is also an index
        (GHSA-qq97-vm5h-rrhg).
    """
    if "manifests" in document:
        raise ManifestInvalid({"field": "manifests", "expected": "only in an index"})
    config = fields.as_descriptor(document.get("config"), "config")
    layers = fields.descriptors(document.get("layers"), "layers")
    return {
        "references": (config, *layers),
        "annotations": fields.as_annotations(
            document.get("annotations"), "annotations"
        ),
        "subject": fields.optional_descriptor(document.get("subject"), "subject"),
        "artifact_type": fields.as_text(document.get("artifactType"), "artifactType")
        or config.media_type,
    }
