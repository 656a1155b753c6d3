"""Docker schema 1: an image as a list of layer digests, with optional signatures.

The digest of a signed document is that of its payload, the document without the
signatures. The ``protected`` header of a signature says how to restore it byte for
byte: the length of the document's prefix, and the bytes that follow it.
"""

from __future__ import annotations

import base64

from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import ManifestInvalid
from txregistry.spec.manifest import fields
from txregistry.spec.manifest.model import Manifest
from txregistry.spec.nesting import read_json


def read(document: fields.Document, manifest: Manifest) -> dict[str, object]:
    """Return the attributes of :class:`Manifest` that a schema 1 document sets.

    :raise ManifestInvalid: a field is malformed.
    """
    layers = fields.as_list(document.get("fsLayers"), "fsLayers")
    digests = [
        fields.as_digest(fields.as_mapping(layer, "fsLayers").get("blobSum"), "blobSum")
        for layer in layers
    ]
    content = payload(manifest.content, document)
    return {
        "references": tuple(Descriptor(digest, None) for digest in digests),
        "digest": Digest.of(content, manifest.digest.algorithm),
    }


def check_history(content: bytes) -> None:
    """Check that a document has one history entry per layer.

    :raise ManifestInvalid: it does not.
    """
    document = fields.load(content)
    history = fields.as_list(document.get("history"), "history")
    if len(history) != len(fields.as_list(document.get("fsLayers"), "fsLayers")):
        raise ManifestInvalid({"field": "history", "expected": "one per layer"})


def payload(content: bytes, document: fields.Document) -> bytes:
    """Return the payload of a document; all of it if it is unsigned.

    :raise ManifestInvalid: the ``protected`` header is malformed.
    """
    signatures = fields.as_list(document.get("signatures"), "signatures")
    if not signatures:
        return content
    length, tail = payload_format(signatures[0])
    return content[:length] + tail


def payload_format(signature: object) -> tuple[int, bytes]:
    """Return how a signature says to restore the payload.

    :return: the length of the document's prefix, and the bytes that follow it.
    :raise ManifestInvalid: the ``protected`` header is malformed.
    """
    members = fields.as_mapping(signature, "signatures[0]")
    protected = fields.as_text(members.get("protected"), "signatures[0].protected")
    try:
        header = fields.as_mapping(read_json(decode(protected)), "protected")
        length = fields.as_size(header.get("formatLength"), "formatLength")
        return length, decode(fields.as_text(header.get("formatTail"), "formatTail"))
    except ValueError as error:
        raise ManifestInvalid({"field": "protected"}) from error


def decode(text: str) -> bytes:
    """Decode base64url without padding (RFC 7515, appendix C).

    :raise ValueError: it is not base64url.
    """
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
