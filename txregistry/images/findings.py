"""What was found of one repository, for whoever looks at many of its images."""

from __future__ import annotations

from typing import TypeVar

import attrs
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.flow.turns import Turns
from txregistry.images.closure import ImagePart, walk_image
from txregistry.images.explain import is_here
from txregistry.interfaces.images import IFindings, PlatformReport
from txregistry.interfaces.namespace import IRepository
from txregistry.spec.digest import Digest

T = TypeVar("T")

#: Blobs that are looked at in one turn of the reactor.
BLOBS_AT_ONCE = 16

#: Blobs of a repository that are remembered, and images; then it begins anew.
MAX_BLOBS, MAX_IMAGES = 20_000, 1000


@implementer(IFindings)
@attrs.define(eq=False)
class Findings:
    """Looks at each image and each blob of a repository once.

    Tags of a repository often stand for the same image, and its images share layers.

    :ivar repository: of the local storage.
    :param turns: of an image of many platforms, with many layers each, others have
        theirs meanwhile.
    """

    repository: IRepository
    _turns: Turns
    _blobs: dict[Digest, bool] = attrs.field(factory=dict)
    _images: dict[Digest, tuple[PlatformReport, ...]] = attrs.field(factory=dict)

    @deferred
    async def platforms(self, top: Digest) -> tuple[PlatformReport, ...]:
        """Fire with what is here of an image; see :class:`IFindings`."""
        found = self._images.get(top)
        if found is None:
            found = await self._look(top)
            _keep(self._images, top, found, MAX_IMAGES)
        return found

    @deferred
    async def _look(self, top: Digest) -> tuple[PlatformReport, ...]:
        manifests, found = self.repository.manifests, []
        async for part in walk_image(lambda digest: manifests.get(digest=digest), top):
            await self._turns.take()
            if not part.is_index:
                found.append(await self._platform(part))
        return tuple(found)

    @deferred
    async def _platform(self, part: ImagePart) -> PlatformReport:
        digest = str(part.descriptor.digest)
        missing = [digest] if part.manifest is None else []
        missing += [
            str(blob.digest)
            for blob in part.blobs
            if not await self._is_here(blob.digest)
        ]
        size = sum(blob.size or 0 for blob in part.blobs)
        return PlatformReport(part.platform, digest, size, tuple(missing))

    @deferred
    async def _is_here(self, digest: Digest) -> bool:
        await self._turns.take()
        found = self._blobs.get(digest)
        if found is None:
            found = await is_here(self.repository, digest)
            _keep(self._blobs, digest, found, MAX_BLOBS)
        return found


def _keep(values: dict[Digest, T], digest: Digest, value: T, most: int) -> None:
    if len(values) >= most:
        values.clear()
    values[digest] = value
