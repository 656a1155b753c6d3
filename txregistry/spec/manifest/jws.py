"""Signed schema 1 documents: taken apart to be stored, put together to be served.

Distribution stores the payload, by whose digest the document is known, and keeps
the signatures beside it. The layout of the signed document is that of libtrust:
three spaces of indent, the signatures as the last member.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import cast

import attrs

from txregistry.spec import mediatypes
from txregistry.spec.manifest import schema1
from txregistry.spec.manifest.model import Manifest
from txregistry.spec.nesting import read_json


def take_apart(manifest: Manifest) -> tuple[Sequence[bytes], bytes]:
    """Give the signatures of a document, each as JSON, and what is to be stored.

    A manifest of any other type has none and is stored as it is.
    """
    if manifest.media_type not in mediatypes.SCHEMA1_TYPES:
        return (), manifest.content
    document = cast(Mapping[str, object], read_json(manifest.content))
    signatures = cast(Sequence[object], document.get("signatures") or ())
    content = schema1.payload(manifest.content, document)
    return [_dump(signature) for signature in signatures], content


def put_together(manifest: Manifest, signatures: Sequence[bytes]) -> Manifest:
    """Give a stored payload its signatures back; without any it stays unsigned."""
    if not signatures:
        return manifest
    try:
        first = cast(Mapping[str, str], read_json(signatures[0]))
        protected = read_json(schema1.decode(first["protected"]))
        length = cast(int, protected["formatLength"])
        tail = schema1.decode(cast(str, protected["formatTail"]))
    except (ValueError, KeyError, TypeError):
        return manifest  # what is stored as a signature is none
    listed = json.dumps([read_json(signature) for signature in signatures], indent=3)
    indented = listed.replace("\n", "\n   ").encode("utf-8")
    content = manifest.content[:length] + b',\n   "signatures": ' + indented + tail
    return attrs.evolve(
        manifest, content=content, media_type=mediatypes.DOCKER_SCHEMA1_SIGNED
    )


def _dump(signature: object) -> bytes:
    return json.dumps(signature, separators=(",", ":")).encode("utf-8")
