"""Look at what is here of an image; nobody is asked, and nothing counts as used."""

from __future__ import annotations

from txregistry.flow.deferred import deferred
from txregistry.interfaces.images import ImagesRefused
from txregistry.interfaces.namespace import INamespace, IRepository
from txregistry.interfaces.tags import IConfirmedTags, TagTimes
from txregistry.spec.digest import Digest
from txregistry.spec.errors import BlobUnknown, ManifestUnknown, RegistryError
from txregistry.spec.imagename import ImageName
from txregistry.spec.upstreams import UpstreamTable


@deferred
async def stored_digest(repository: IRepository, image: ImageName) -> Digest | None:
    """Fire with the digest of an image that is here, or ``None``.

    :param repository: of the local storage.
    """
    if image.digest is not None:
        return image.digest
    assert image.tag is not None
    try:
        return (await repository.tags.get(tag=image.tag)).digest
    except ManifestUnknown:
        return None


def named_image(text: str, upstreams: UpstreamTable) -> ImageName:
    """Return an image as clients name it.

    :raise ImagesRefused: it names none; the message says why.
    """
    try:
        return ImageName.parse(text, upstreams)
    except ValueError as error:
        raise ImagesRefused(str(error)) from error


@deferred
async def tag_times(namespace: INamespace, image: ImageName) -> TagTimes | None:
    """Fire with when a cached tag was confirmed, and until when it is served.

    It fires with ``None`` without a tag, or if it is not of an upstream, not stored, or
    by a rule not cached any more.

    :param namespace: of the cache.
    """
    try:
        tags = await _confirmed_tags(namespace, image)
        if tags is None or image.tag is None:
            return None
        return await tags.times(tag=image.tag)
    except RegistryError:
        return None


@deferred
async def stale_until(namespace: INamespace, image: ImageName) -> float | None:
    """Fire with until when a cached tag is served while its upstream is away.

    It fires with ``None`` where that has no limit, as :func:`tag_times` otherwise.
    """
    try:
        tags = await _confirmed_tags(namespace, image)
        if tags is None or not tags.is_limited() or image.tag is None:
            return None
        return (await tags.times(tag=image.tag)).stale_until
    except RegistryError:
        return None


@deferred
async def _confirmed_tags(
    namespace: INamespace, image: ImageName
) -> IConfirmedTags | None:
    if image.tag is None:
        return None
    tags = (await namespace.repository(name=image.repository)).tags
    return tags if IConfirmedTags.providedBy(tags) else None


@deferred
async def is_here(repository: IRepository, digest: Digest) -> bool:
    """Fire with whether a repository has a blob here."""
    try:
        await repository.blobs.stat(digest=digest)
    except BlobUnknown:
        return False
    return True
