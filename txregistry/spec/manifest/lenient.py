"""Parse a manifest that another registry has accepted, as far as it is valid.

A cache passes on whatever an upstream serves under its digest, unchanged. Of its fields
it needs only those that refer to other content; malformed ones are skipped. Pushed
manifests are parsed strictly, by :mod:`txregistry.spec.manifest.parse`.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from txregistry.spec import mediatypes
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import CANONICAL, Digest
from txregistry.spec.errors import DigestInvalid, ManifestInvalid, ManifestTooLarge
from txregistry.spec.manifest import fields, schema1
from txregistry.spec.manifest.model import MAX_MANIFEST_BYTES, Manifest
from txregistry.spec.manifest.parse import parse
from txregistry.spec.nesting import read_json

T = TypeVar("T")

#: Longest media type that is passed on, in characters.
_MAX_TYPE = 255


def read(
    content: bytes,
    media_type: str | None = None,
    algorithm: str = CANONICAL,
) -> Manifest:
    """Parse a manifest, strictly if that is possible.

    :param media_type: of the ``Content-Type``; the document's own type has precedence.
    :param algorithm: of the manifest's digest.
    :raise ManifestInvalid: the document has no media type, and looks like no manifest.
    :raise ManifestTooLarge: it is longer than :data:`MAX_MANIFEST_BYTES`.
    """
    if len(content) > MAX_MANIFEST_BYTES:
        raise ManifestTooLarge({"limit": MAX_MANIFEST_BYTES})
    document = _load(content)
    kind = _media_type(document, media_type)
    if kind in mediatypes.MANIFEST_TYPES:
        try:
            return parse(content, kind, algorithm)
        except ManifestInvalid:
            pass  # parsed leniently below
    version = document.get("schemaVersion")
    return Manifest(
        kind,
        content,
        _digest(content, document, kind, algorithm),
        tuple(_references(document)),
        _descriptor(document.get("subject")),
        _artifact_type(document),
        fields.string_entries(document.get("annotations")),
        bool(document.get("mediaType")) or version == 1,
        version,
    )


def _load(content: bytes) -> fields.Document:
    try:
        text = content.removeprefix(codecs.BOM_UTF8).decode("utf-8")
        document = read_json(text)
    except ValueError as error:
        raise ManifestInvalid({"expected": "a JSON document"}) from error
    return fields.as_mapping(document, "document")


def _media_type(document: fields.Document, given: str | None) -> str:
    """Return the media type of a document; known types in their usual spelling.

    :raise ManifestInvalid: it has none and looks like no manifest.
    """
    named = _valid_media_type(document.get("mediaType"))
    if named:
        return named
    if not _looks_like_manifest(document):
        raise ManifestInvalid({"expected": "a manifest"})
    plain = _valid_media_type((given or "").partition(";")[0])
    guess = _guess(document)
    # The Content-Type counts if it agrees with the document on being an index.
    fits = plain in mediatypes.MANIFEST_TYPES and _is_list(plain) == _is_list(guess)
    return plain if fits else guess


def _valid_media_type(value: object) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if not text.isascii() or not text.isprintable() or not 0 < len(text) <= _MAX_TYPE:
        return ""
    known = {kind.lower(): kind for kind in mediatypes.MANIFEST_TYPES}
    return known.get(text.lower(), text)


def _looks_like_manifest(document: fields.Document) -> bool:
    lists = ("manifests", "layers", "fsLayers", "blobs")
    return "schemaVersion" in document or any(
        isinstance(document.get(name), list) for name in lists
    )


def _is_list(kind: str) -> bool:
    return kind in mediatypes.INDEX_TYPES


def _guess(document: fields.Document) -> str:
    if "fsLayers" in document or document.get("schemaVersion") == 1:
        signed = bool(document.get("signatures"))
        return mediatypes.DOCKER_SCHEMA1_SIGNED if signed else mediatypes.DOCKER_SCHEMA1
    return mediatypes.OCI_INDEX if "manifests" in document else mediatypes.OCI_MANIFEST


def _digest(
    content: bytes, document: fields.Document, kind: str, algorithm: str
) -> Digest:
    if kind == mediatypes.DOCKER_SCHEMA1_SIGNED:
        try:
            return Digest.of(schema1.payload(content, document), algorithm)
        except ManifestInvalid:
            pass  # the signatures are malformed: all of it is the payload
    return Digest.of(content, algorithm)


def _references(document: fields.Document) -> Iterator[Descriptor]:
    """Yield the descriptors of all content that the document refers to."""
    named = [document.get("config")]
    for name in ("layers", "manifests", "blobs"):
        listed = document.get(name)
        named += listed if isinstance(listed, list) else []
    for value in named:
        if (found := _descriptor(value)) is not None:
            yield found
    for layer in _items(document.get("fsLayers")):
        if (digest := _as_digest(layer.get("blobSum"))) is not None:
            yield Descriptor(digest, None)


def _items(value: object) -> Iterator[Mapping[str, object]]:
    for item in value if isinstance(value, list) else []:
        if isinstance(item, dict):
            yield item


def _descriptor(value: object) -> Descriptor | None:
    """Parse a descriptor that has a valid digest; other fields may be malformed."""
    if not isinstance(value, dict):
        return None
    digest = _as_digest(value.get("digest"))
    if digest is None:
        return None
    size = _parse_or(None, lambda: fields.as_size(value.get("size"), "size"))
    platform = _parse_or(
        None, lambda: fields.as_platform(value.get("platform"), "platform")
    )
    kind = _valid_media_type(value.get("mediaType")) or mediatypes.OCTET_STREAM
    return Descriptor(digest, size, kind, platform=platform)


def _as_digest(value: object) -> Digest | None:
    try:
        return Digest.parse(value) if isinstance(value, str) else None
    except DigestInvalid:
        return None


def _artifact_type(document: fields.Document) -> str | None:
    own = _valid_media_type(document.get("artifactType"))
    config = document.get("config")
    if own or not isinstance(config, dict):
        return own or None
    return _valid_media_type(config.get("mediaType")) or None


def _parse_or(otherwise: T, read: Callable[[], T]) -> T:
    try:
        return read()
    except ManifestInvalid:
        return otherwise
