"""Parse a manifest of any family, strictly."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs

from txregistry.spec import mediatypes
from txregistry.spec.digest import CANONICAL, Digest
from txregistry.spec.errors import ManifestInvalid, ManifestTooLarge
from txregistry.spec.manifest import fields, image, index, schema1
from txregistry.spec.manifest.model import MAX_MANIFEST_BYTES, Manifest

Reader = Callable[[fields.Document, Manifest], dict[str, object]]

_READERS: Mapping[str, Reader] = {
    mediatypes.OCI_MANIFEST: image.read,
    mediatypes.DOCKER_MANIFEST: image.read,
    mediatypes.OCI_INDEX: index.read,
    mediatypes.DOCKER_LIST: index.read,
    mediatypes.DOCKER_SCHEMA1: schema1.read,
    mediatypes.DOCKER_SCHEMA1_SIGNED: schema1.read,
}


def parse(
    content: bytes, media_type: str | None = None, algorithm: str = CANONICAL
) -> Manifest:
    """Parse a manifest.

    :param media_type: of the ``Content-Type``; ``None`` to take it from the document.
    :param algorithm: of the manifest's digest.
    :raise ManifestInvalid: it is no JSON object, its media type is unknown or differs
        from the document's own, or a field is malformed.
    :raise ManifestTooLarge: it is longer than :data:`MAX_MANIFEST_BYTES`.
    """
    if len(content) > MAX_MANIFEST_BYTES:
        raise ManifestTooLarge({"limit": MAX_MANIFEST_BYTES})
    document = fields.load(content)
    found = _media_type(document, media_type)
    version = document.get("schemaVersion")
    bare = Manifest(
        found,
        content,
        Digest.of(content, algorithm),
        states_media_type=bool(document.get("mediaType")) or version == 1,
        schema_version=version,
    )
    changes = _READERS[found](document, bare)
    return attrs.evolve(bare, **changes)  # type: ignore[arg-type]


def media_type_of(content: bytes) -> str:
    """Return the media type of a stored manifest, from its content alone.

    :raise ManifestInvalid: it is no JSON object, or its media type is unknown.
    """
    return _media_type(fields.load(content), None)


def _media_type(document: fields.Document, given: str | None) -> str:
    inside = fields.as_text(document.get("mediaType"), "mediaType")
    plain = (given or "").partition(";")[0].strip().lower()
    if plain in (mediatypes.JSON, "text/plain", mediatypes.OCTET_STREAM):
        plain = ""  # sent by some registries for any manifest
    if inside and plain and inside != plain:
        raise ManifestInvalid({"mediaType": inside, "Content-Type": plain})
    found = plain or inside or _guess(document)
    if found not in _READERS:
        raise ManifestInvalid({"mediaType": found[:200]})
    return found


def _guess(document: fields.Document) -> str:
    if document.get("schemaVersion") == 1:
        signed = bool(document.get("signatures"))
        return mediatypes.DOCKER_SCHEMA1_SIGNED if signed else mediatypes.DOCKER_SCHEMA1
    # ``mediaType`` is optional in OCI documents; only an index has ``manifests``.
    return mediatypes.OCI_INDEX if "manifests" in document else mediatypes.OCI_MANIFEST
