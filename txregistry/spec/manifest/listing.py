"""Lists of referrers, in the form of an image index.

OCI distribution-spec, "Listing Referrers": each entry has the artifact type and the
annotations of the manifest that it describes.
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
    """Yield the entries of a list.

    :raise ManifestInvalid: it is no image index, or the next entry is malformed.
    """
    listed = fields.as_list(fields.load(content).get("manifests"), "manifests")
    for index, item in enumerate(listed):
        yield _entry(item, f"manifests[{index}]")


def valid_entries_of(content: bytes) -> Iterator[Entry]:
    """Yield the valid entries of a list; malformed ones are skipped.

    For lists under a tag, which any client may push.

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
    # An annotation that is no string is dropped: it must not hide the entry.
    annotations = fields.string_entries(document.get("annotations"))
    return fields.as_descriptor(document, where), kind or None, annotations


def write_listing(entries: Iterable[Entry]) -> bytes:
    """Serialize a list of referrers."""
    document = {
        "schemaVersion": 2,
        "mediaType": mediatypes.OCI_INDEX,
        "manifests": [_entry_document(*entry) for entry in entries],
    }
    return json.dumps(document).encode("utf-8")


def _entry_document(
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
