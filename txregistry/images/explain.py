"""Look at what is here of an image; nobody is asked, and nothing counts as used."""

from __future__ import annotations

from txregistry.flow.deferred import deferred
from txregistry.images.closure import ImagePart, walk_image
from txregistry.interfaces.images import ImagesRefused, PlatformReport
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
    if image.tag is None:
        return None
    try:
        cached = await namespace.repository(name=image.repository)
        if not IConfirmedTags.providedBy(cached.tags):
            return None
        return await IConfirmedTags(cached.tags).times(tag=image.tag)
    except RegistryError:
        return None


@deferred
async def stored_platforms(
    repository: IRepository, top: Digest
) -> tuple[PlatformReport, ...]:
    """Fire with what is here of an image, for each platform that it is for."""
    parts = [
        part
        async for part in walk_image(
            lambda digest: repository.manifests.get(digest=digest), top
        )
    ]
    return tuple(
        [await _platform(repository, part) for part in parts if not part.is_index]
    )


@deferred
async def _platform(repository: IRepository, part: ImagePart) -> PlatformReport:
    digest = str(part.descriptor.digest)
    missing = [digest] if part.manifest is None else []
    missing += [
        str(blob.digest)
        for blob in part.blobs
        if not await is_here(repository, blob.digest)
    ]
    size = sum(blob.size or 0 for blob in part.blobs)
    return PlatformReport(part.platform, digest, size, tuple(missing))


@deferred
async def is_here(repository: IRepository, digest: Digest) -> bool:
    """Fire with whether a repository has a blob here."""
    try:
        await repository.blobs.stat(digest=digest)
    except BlobUnknown:
        return False
    return True
