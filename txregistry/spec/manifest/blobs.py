"""The blobs of an image (pure)."""

from __future__ import annotations

from txregistry.spec import mediatypes
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.manifest.model import Manifest


def blobs_of(manifest: Manifest) -> tuple[Descriptor, ...]:
    """Return the blobs of an image, without layers that are not in registries.

    Each comes once; an index has none.
    """
    if manifest.media_type in mediatypes.INDEX_TYPES:
        return ()
    found = {
        item.digest: item
        for item in manifest.references
        if item.media_type not in mediatypes.FOREIGN_LAYERS
    }
    return tuple(found.values())
