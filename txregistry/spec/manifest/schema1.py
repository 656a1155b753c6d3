"""Docker schema 1: an image as a list of layer digests, perhaps signed.

A signed document's digest is that of its payload, without the signatures; the
payload is rebuilt byte for byte from the ``protected`` header of a signature,
which says how many bytes of the document it spans and what follows them.
"""

from __future__ import annotations

import base64
import binascii

from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import ManifestInvalid
from txregistry.spec.manifest import fields
from txregistry.spec.manifest.model import Manifest
from txregistry.spec.nesting import read_json


def read(document: fields.Document, manifest: Manifest) -> dict[str, object]:
    """Give the changes that a schema 1 document makes to the bare value.

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
    """Pass if a document that was read tells the history of each layer.

    :raise ManifestInvalid: it does not.
    """
    document = fields.load(content)
    history = fields.as_list(document.get("history"), "history")
    if len(history) != len(fields.as_list(document.get("fsLayers"), "fsLayers")):
        raise ManifestInvalid({"field": "history", "expected": "one per layer"})


def payload(content: bytes, document: fields.Document) -> bytes:
    """Give the signed part of a document; an unsigned one is all payload.

    :raise ManifestInvalid: the signatures do not say what they span.
    """
    signatures = fields.as_list(document.get("signatures"), "signatures")
    if not signatures:
        return content
    first = fields.as_mapping(signatures[0], "signatures[0]")
    protected = fields.as_text(first.get("protected"), "signatures[0].protected")
    try:
        header = fields.as_mapping(read_json(decode(protected)), "protected")
        length = fields.as_size(header.get("formatLength"), "formatLength")
        tail = decode(fields.as_text(header.get("formatTail"), "formatTail"))
    except (ValueError, binascii.Error) as error:
        raise ManifestInvalid({"field": "protected"}) from error
    return content[:length] + tail


def decode(text: str) -> bytes:
    """Decode base64url without padding (RFC 7515, appendix C).

    :raise ValueError: it is not base64url.
    """
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
