"""All that an image is made of, manifest by manifest."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence

import attrs
from twisted.internet.defer import Deferred

from txregistry.spec import mediatypes
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import ManifestUnknown
from txregistry.spec.manifest.blobs import blobs_of
from txregistry.spec.manifest.model import Manifest
from txregistry.spec.platforms import WantedPlatform, platform_text, wanted_children

#: Fires with a manifest, or fails with ``ManifestUnknown``.
GetManifest = Callable[[Digest], Deferred[Manifest]]

#: Fires with the manifests that refer to one.
ListReferrers = Callable[[Digest], Deferred[Sequence[Descriptor]]]

#: Manifests of one image that are looked at: an index may name ten thousands.
MAX_MANIFESTS = 1000


@attrs.frozen
class ImagePart:
    """A manifest of an image, with the blobs that it names.

    :ivar platform: of the index that names it; empty without one.
    :ivar manifest: ``None`` if it is not here.
    :ivar blobs: that clients get from a registry, each once.
    """

    descriptor: Descriptor
    platform: str
    manifest: Manifest | None
    blobs: tuple[Descriptor, ...] = ()

    @property
    def is_index(self) -> bool:
        """Return whether it names manifests instead of blobs."""
        manifest = self.manifest
        return manifest is not None and manifest.media_type in mediatypes.INDEX_TYPES


async def walk_image(
    get: GetManifest,
    top: Digest,
    wanted: Sequence[WantedPlatform] = (),
    referrers: ListReferrers | None = None,
) -> AsyncIterator[ImagePart]:
    """Visit the manifests of an image, parents first, each once.

    At most :data:`MAX_MANIFESTS`, the first ones. Fails as ``get`` does, but for
    manifests that are unknown, which are visited without their content.

    :param wanted: platforms of which children of an index are visited; none for all.
    :param referrers: lists those of each manifest that is visited, which are visited
        as well, after its children; none of them without it.
    """
    waiting, seen = [(Descriptor(top, None), "")], {top}
    while waiting:
        descriptor, platform = waiting.pop(0)
        part = await _part(get, descriptor, platform)
        yield part
        for child in await _named(part, wanted, referrers):
            if child.digest not in seen and len(seen) < MAX_MANIFESTS:
                seen.add(child.digest)
                waiting.append((child, platform_text(child) or platform))


async def _named(
    part: ImagePart,
    wanted: Sequence[WantedPlatform],
    referrers: ListReferrers | None,
) -> list[Descriptor]:
    """Return the manifests to be visited because of one."""
    if part.manifest is None:
        return []
    named = wanted_children(part.manifest.references, wanted) if part.is_index else []
    if referrers is not None:
        named += await referrers(part.descriptor.digest)
    return named


async def _part(get: GetManifest, descriptor: Descriptor, platform: str) -> ImagePart:
    try:
        manifest = await get(descriptor.digest)
    except ManifestUnknown:
        return ImagePart(descriptor, platform, None)
    return ImagePart(manifest.descriptor, platform, manifest, blobs_of(manifest))
