"""Lists of referrers: an image index whose entries say what they are.

OCI distribution-spec, "Listing Referrers": an entry has the artifact type and the
annotations of the manifest it names.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

from txregistry.spec import mediatypes
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.errors import ManifestInvalid
from txregistry.spec.manifest import fields

#: A manifest, its artifact type, and its annotations.
Entry = tuple[Descriptor, str | None, Mapping[str, str]]


def entries_of(content: bytes) -> Iterator[Entry]:
    """Read a list of referrers, as it is asked for.

    :raise ManifestInvalid: it is no image index, or an entry is malformed.
    """
    listed = fields.as_list(fields.load(content).get("manifests"), "manifests")
    for index, item in enumerate(listed):
        yield _entry(item, f"manifests[{index}]")


def good_entries_of(content: bytes) -> Iterator[Entry]:
    """Read what can be read of a list that anybody may have pushed, as it is asked for.

    One bad entry must not hide the others.

    :raise ManifestInvalid: it is no image index.
    """
    for item in fields.as_list(fields.load(content).get("manifests"), "manifests"):
        try:
            yield _entry(item, "manifests")
        except ManifestInvalid:
            continue


def _entry(value: object, where: str) -> Entry:
    document = fields.as_mapping(value, where)
    kind = fields.as_text(document.get("artifactType"), f"{where}.artifactType")
    # What is no text among them could not be told anyway, and must hide nobody.
    annotations = fields.texts_of(document.get("annotations"))
    return fields.as_descriptor(document, where), kind or None, annotations


def write_listing(entries: Iterable[Entry]) -> bytes:
    """Write a list of referrers."""
    document = {
        "schemaVersion": 2,
        "mediaType": mediatypes.OCI_INDEX,
        "manifests": [_written(*entry) for entry in entries],
    }
    return json.dumps(document).encode("utf-8")


def _written(
    descriptor: Descriptor, artifact_type: str | None, annotations: Mapping[str, str]
) -> dict[str, object]:
    found: dict[str, object] = {
        "mediaType": descriptor.media_type,
        "digest": str(descriptor.digest),
        "size": descriptor.size,
    }
    if artifact_type:
        found["artifactType"] = artifact_type
    if annotations:
        found["annotations"] = dict(annotations)
    return found
