"""Look at what is here of an image; nobody is asked, and nothing counts as used."""

from __future__ import annotations

from txregistry.flow.deferred import deferred
from txregistry.images.closure import ImagePart, walk_image
from txregistry.interfaces.images import PlatformReport
from txregistry.interfaces.namespace import IRepository
from txregistry.spec.digest import Digest
from txregistry.spec.errors import BlobUnknown, ManifestUnknown
from txregistry.spec.imagename import ImageName


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
