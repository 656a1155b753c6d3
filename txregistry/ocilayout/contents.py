"""What a layout holds of an image: manifests to be stored, and blobs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs

from txregistry.ocilayout.index import IndexEntry, LayoutError
from txregistry.ocilayout.layout import LayoutReader
from txregistry.spec import mediatypes
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import RegistryError
from txregistry.spec.manifest.blobs import blobs_of
from txregistry.spec.manifest.model import MAX_MANIFEST_BYTES, Manifest
from txregistry.spec.manifest.parse import parse

#: Manifests of one image.
MAX_MANIFESTS = 1000


@attrs.frozen
class ImageContents:
    """An image of a layout.

    :ivar entry: that names it.
    :ivar manifests: those that the layout has; what one is made of comes before it.
    :ivar blobs: that these name, each once; the layout need not have them.
    """

    entry: IndexEntry
    manifests: tuple[Descriptor, ...]
    blobs: tuple[Descriptor, ...]


def named_entries(entries: Sequence[IndexEntry]) -> list[IndexEntry]:
    """Return the entries of an index that name an image, the only one without."""
    named = [entry for entry in entries if entry.identity]
    return named or (list(entries) if len(entries) == 1 else [])


def image_contents(
    layout: LayoutReader, entry: IndexEntry, entries: Iterable[IndexEntry]
) -> ImageContents:
    """Look what a layout has of an image.

    :param entries: all that its index names; those that refer to the image come as
        well.
    :raise LayoutError: a manifest is damaged, or there are too many.
    """
    top = entry.descriptor
    if layout.size_of(top.digest) is None:
        raise LayoutError(f"{top.digest} is in the index, but not in the layout")
    found: dict[Digest, Manifest] = {}
    _add(layout, top, found)
    for other in entries:
        if not other.identity and other.descriptor.digest not in found:
            _add_referrer(layout, other.descriptor, found)
    blobs = {blob.digest: blob for item in found.values() for blob in blobs_of(item)}
    return ImageContents(
        entry,
        tuple(manifest.descriptor for manifest in found.values()),
        tuple(blobs.values()),
    )


def _add(layout: LayoutReader, top: Descriptor, found: dict[Digest, Manifest]) -> None:
    """Add a manifest, after those that it names."""
    manifest = _read(layout, top)
    if manifest.media_type in mediatypes.INDEX_TYPES:
        for child in manifest.references:
            # For platforms that were not exported there is none.
            if child.digest not in found and layout.size_of(child.digest) is not None:
                _add(layout, child, found)
    found[manifest.digest] = manifest
    if len(found) > MAX_MANIFESTS:
        raise LayoutError(f"{top.digest} has more than {MAX_MANIFESTS} manifests")


def _add_referrer(
    layout: LayoutReader, top: Descriptor, found: dict[Digest, Manifest]
) -> None:
    """Add a manifest that refers to one of an image; leave any other out."""
    if layout.size_of(top.digest) is None:
        return
    subject = _read(layout, top).subject
    if subject is not None and subject.digest in found:
        _add(layout, top, found)


def _read(layout: LayoutReader, descriptor: Descriptor) -> Manifest:
    digest = descriptor.digest
    with layout.open(digest) as file:
        content = file.read(MAX_MANIFEST_BYTES + 1)
    if Digest.of(content, digest.algorithm) != digest:
        raise LayoutError(f"{digest}: the content does not match its digest")
    kind = descriptor.media_type
    stated = None if kind == mediatypes.OCTET_STREAM else kind
    try:
        return parse(content, stated, digest.algorithm)
    except RegistryError as error:
        raise LayoutError(f"{digest}: {error}") from error
