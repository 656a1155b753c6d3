"""What a layout holds of an image: manifests to be stored, and blobs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import attrs

from txregistry.ocilayout.index import IndexEntry, LayoutError
from txregistry.ocilayout.layout import LayoutReader, read_piece
from txregistry.spec import mediatypes
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import RegistryError
from txregistry.spec.manifest.blobs import blobs_of
from txregistry.spec.manifest.model import MAX_MANIFEST_BYTES, Manifest
from txregistry.spec.manifest.parse import parse

#: Manifests of one image, and bytes of all of them.
MAX_MANIFESTS, MAX_MANIFESTS_BYTES = 1000, 64 * 1024 * 1024


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


def referring(layout: LayoutReader, entries: Iterable[IndexEntry]) -> list[Manifest]:
    """Return the manifests without a name that refer to others, such as signatures.

    What is damaged, of a kind that is not known, or too much to be held, is left out:
    no image that is named needs it.
    """
    found, left = [], MAX_MANIFESTS_BYTES
    for entry in entries:
        digest = entry.descriptor.digest
        if entry.identity or layout.size_of(digest) is None:
            continue
        try:
            manifest = _read(layout, entry.descriptor)
        except LayoutError:
            continue
        left -= len(manifest.content)
        if manifest.subject is not None and left >= 0:
            found.append(manifest)
    return found


def image_contents(
    layout: LayoutReader, entry: IndexEntry, referrers: Sequence[Manifest]
) -> ImageContents:
    """Look what a layout has of an image.

    :param referrers: of the layout; those that refer to the image, or to what refers to
        it, come as well.
    :raise LayoutError: a manifest is damaged, or there is too much.
    """
    if layout.size_of(entry.descriptor.digest) is None:
        digest = entry.descriptor.digest
        raise LayoutError(f"{digest} is in the index, but not in the layout")
    found: dict[Digest, Manifest] = {}
    _add(layout, entry.descriptor, found)
    waiting = list(referrers)
    while new := [item for item in waiting if _refers(item, found)]:
        waiting = [item for item in waiting if item not in new]
        for manifest in new:
            _add(layout, manifest.descriptor, found)
    blobs = {blob.digest: blob for item in found.values() for blob in blobs_of(item)}
    return ImageContents(
        entry,
        tuple(manifest.descriptor for manifest in found.values()),
        tuple(blobs.values()),
    )


def _refers(manifest: Manifest, found: Mapping[Digest, Manifest]) -> bool:
    subject = manifest.subject
    return subject is not None and subject.digest in found


def _add(layout: LayoutReader, top: Descriptor, found: dict[Digest, Manifest]) -> None:
    """Add a manifest, after those that it names."""
    manifest = _read(layout, top)
    if manifest.media_type in mediatypes.INDEX_TYPES:
        for child in manifest.references:
            # For platforms that were not exported there is none.
            if child.digest not in found and layout.size_of(child.digest) is not None:
                _add(layout, child, found)
    found[manifest.digest] = manifest
    size = sum(len(item.content) for item in found.values())
    if len(found) > MAX_MANIFESTS or size > MAX_MANIFESTS_BYTES:
        raise LayoutError(f"{top.digest} has too many manifests, or too long ones")


def _read(layout: LayoutReader, descriptor: Descriptor) -> Manifest:
    digest = descriptor.digest
    with layout.open(digest) as file:
        content = read_piece(file, digest, MAX_MANIFEST_BYTES + 1)
    if Digest.of(content, digest.algorithm) != digest:
        raise LayoutError(f"{digest}: the content does not match its digest")
    kind = descriptor.media_type
    stated = None if kind == mediatypes.OCTET_STREAM else kind
    try:
        return parse(content, stated, digest.algorithm)
    except RegistryError as error:
        raise LayoutError(f"{digest}: {error}") from error
