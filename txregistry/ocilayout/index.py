"""``index.json``: which images a layout holds (pure).

OCI image-spec, "Image Layout". An entry has the name of its image in an annotation:
``io.containerd.image.name`` has the host of its registry, and means the same image
everywhere. ``org.opencontainers.image.ref.name`` may be that, a shorter name, or a tag
alone, which is the name of no image. Entries without a name are of manifests that refer
to others, such as signatures.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import attrs

from txregistry.spec import mediatypes
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.errors import ManifestInvalid
from txregistry.spec.manifest import fields

#: The paths of its files.
INDEX, MARKER = "index.json", "oci-layout"

MARKER_CONTENT = b'{"imageLayoutVersion":"1.0.0"}'

#: Bytes of an index that are read, at most.
MAX_INDEX_BYTES = 4 * 1024 * 1024

_FULL_NAME = "io.containerd.image.name"
_REF_NAME = "org.opencontainers.image.ref.name"
_CONFIRMED_AT = "txregistry.confirmed-at"

#: Of a time in seconds: some thirty thousand years.
_MOST_DIGITS = 12


class LayoutError(Exception):
    """A layout cannot be read or written; the message says why."""


@attrs.frozen
class IndexEntry:
    """One manifest that an index names.

    :ivar document: as it is in the file.
    :ivar full_name: of its image, with the host of its registry; empty without one.
    :ivar name: what else its image is called; empty if nothing.
    :ivar confirmed_at: when an upstream last said what its tag stands for, in seconds
        since the epoch; ``None`` if that is not known.
    """

    document: fields.Document = attrs.field(repr=False)
    descriptor: Descriptor
    full_name: str
    name: str
    confirmed_at: float | None

    @property
    def identity(self) -> str:
        """Return the name by which it is replaced; empty if it has none."""
        return self.full_name or self.name


def parse_index(content: bytes) -> list[IndexEntry]:
    """Read an index.

    :raise LayoutError: it is none.
    """
    try:
        document = fields.load(content)
        listed = fields.as_list(document.get("manifests"), "manifests")
        return [_entry(item, number) for number, item in enumerate(listed)]
    except ManifestInvalid as error:
        raise LayoutError(f"{INDEX}: {error}") from error


def _entry(item: object, number: int) -> IndexEntry:
    where = f"manifests[{number}]"
    document = fields.as_mapping(item, where)
    annotations = fields.string_entries(document.get("annotations"))
    return IndexEntry(
        document,
        fields.as_descriptor(item, where),
        _image_name(annotations.get(_FULL_NAME, "")),
        _image_name(annotations.get(_REF_NAME, "")),
        _seconds(annotations.get(_CONFIRMED_AT, "")),
    )


def _image_name(text: str) -> str:
    """Return a text that names an image; empty for a tag alone, or no name at all."""
    is_name = text.isprintable() and any(mark in text for mark in ":@/")
    return text if is_name else ""


def _seconds(text: str) -> float | None:
    is_number = text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS
    return int(text) if is_number else None


def make_entry(
    descriptor: Descriptor,
    full_name: str = "",
    name: str = "",
    confirmed_at: float | None = None,
) -> IndexEntry:
    """Make a new entry; see :class:`IndexEntry`."""
    seconds = None if confirmed_at is None else int(confirmed_at)
    document: dict[str, object] = {
        "mediaType": descriptor.media_type,
        "digest": str(descriptor.digest),
        "size": descriptor.size,
    }
    found = {_FULL_NAME: full_name, _REF_NAME: name}
    found[_CONFIRMED_AT] = "" if seconds is None else str(seconds)
    annotations = {key: text for key, text in found.items() if text}
    if annotations:
        document["annotations"] = annotations
    return IndexEntry(document, descriptor, full_name, name, seconds)


def merged(old: Sequence[IndexEntry], new: Sequence[IndexEntry]) -> list[IndexEntry]:
    """Return the entries of an index to which others are added.

    An image that is added takes the place of one of the same name.
    """
    replaced = {entry.identity for entry in new if entry.identity}
    kept = [entry for entry in old if entry.identity not in replaced]
    found = {
        (entry.descriptor.digest, entry.identity): entry for entry in (*kept, *new)
    }
    return list(found.values())


def index_content(entries: Iterable[IndexEntry]) -> bytes:
    """Write an index."""
    document = {
        "schemaVersion": 2,
        "mediaType": mediatypes.OCI_INDEX,
        "manifests": [entry.document for entry in entries],
    }
    return json.dumps(document, indent=2).encode("utf-8") + b"\n"
