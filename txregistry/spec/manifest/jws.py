"""Signed schema 1 documents, split for storage and joined again to be served.

Distribution stores the payload under its digest, and the signatures beside it. The
signed document has libtrust's layout: an indent of three spaces, and the signatures as
the last member.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import cast

import attrs

from txregistry.spec import mediatypes
from txregistry.spec.errors import ManifestInvalid
from txregistry.spec.manifest import schema1
from txregistry.spec.manifest.model import Manifest
from txregistry.spec.nesting import read_json


def split_signatures(manifest: Manifest) -> tuple[Sequence[bytes], bytes]:
    """Split a manifest into signatures and payload.

    :return: the signatures, each as JSON, and the content to store. A manifest of
        another type has no signatures and is its own payload.
    """
    if manifest.media_type not in mediatypes.SCHEMA1_TYPES:
        return (), manifest.content
    document = cast(Mapping[str, object], read_json(manifest.content))
    signatures = cast(Sequence[object], document.get("signatures") or ())
    content = schema1.payload(manifest.content, document)
    return [_dump(signature) for signature in signatures], content


def join_signatures(manifest: Manifest, signatures: Sequence[bytes]) -> Manifest:
    """Insert stored signatures into their payload.

    :return: the signed manifest; the payload itself if there are no signatures, or one
        is malformed.
    """
    if not signatures:
        return manifest
    try:
        parsed = [read_json(signature) for signature in signatures]
        length, tail = schema1.payload_format(parsed[0])
    except (ValueError, ManifestInvalid):
        return manifest
    indented = json.dumps(parsed, indent=3).replace("\n", "\n   ").encode("utf-8")
    content = manifest.content[:length] + b',\n   "signatures": ' + indented + tail
    return attrs.evolve(
        manifest, content=content, media_type=mediatypes.DOCKER_SCHEMA1_SIGNED
    )


def _dump(signature: object) -> bytes:
    return json.dumps(signature, separators=(",", ":")).encode("utf-8")
