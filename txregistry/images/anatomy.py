"""What stored images are made of: their variants, layers and what refers to them."""

from __future__ import annotations

import attrs
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.flow.turns import Turns
from txregistry.images.closure import ImagePart, walk_image
from txregistry.images.explain import is_here
from txregistry.images.made import made_at
from txregistry.interfaces.anatomy import (
    IAnatomist,
    ImageAnatomy,
    Layer,
    Reference,
    Variant,
)
from txregistry.interfaces.blobs import ILinkIndex
from txregistry.interfaces.expiry import LedgerAway
from txregistry.interfaces.namespace import INamespace, IRepository
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName

#: Variants and references that are told of.
MAX_VARIANTS, MAX_REFERENCES = 50, 50

#: Layers that are looked at in one turn of the reactor.
LAYERS_AT_ONCE = 8


@implementer(IAnatomist)
@attrs.define(eq=False)
class Anatomist:
    """Looks at the images of a local namespace.

    :param clock: others have their turns by it.
    :param holders: knows which repositories hold what; ``None`` if nobody does.
    """

    _local: INamespace
    _clock: IReactorTime
    _holders: ILinkIndex | None = None

    @deferred
    async def dissect(self, name: RepositoryName, top: Digest) -> ImageAnatomy:
        """Look at one image; see :class:`IAnatomist`."""
        repository = await self._local.repository(name=name)
        manifest = await repository.manifests.get(digest=top)
        turns = Turns(self._clock, LAYERS_AT_ONCE)
        variants: list[Variant] = []
        async for part in walk_image(
            lambda digest: repository.manifests.get(digest=digest), top
        ):
            if not part.is_index and len(variants) < MAX_VARIANTS:
                variants.append(await self._variant(repository, part, turns))
        references = await repository.referrers.list(digest=top, limit=MAX_REFERENCES)
        return ImageAnatomy(
            str(top),
            manifest.media_type,
            tuple(variants),
            tuple(
                Reference(
                    str(found.descriptor.digest),
                    found.artifact_type or found.descriptor.media_type,
                    found.descriptor.size or 0,
                )
                for found in references
            ),
            await made_at(repository, top),
        )

    @deferred
    async def made_at(self, name: RepositoryName, top: Digest) -> float | None:
        """Fire with when an image was built; see :class:`IAnatomist`."""
        return await made_at(await self._local.repository(name=name), top)

    @deferred
    async def _variant(
        self, repository: IRepository, part: ImagePart, turns: Turns
    ) -> Variant:
        layers = []
        for blob in part.blobs:
            await turns.take()
            layers.append(await self._layer(repository, blob))
        return Variant(
            part.platform,
            str(part.descriptor.digest),
            part.descriptor.media_type,
            part.manifest is not None,
            tuple(layers),
        )

    @deferred
    async def _layer(self, repository: IRepository, blob: Descriptor) -> Layer:
        return Layer(
            str(blob.digest),
            blob.media_type,
            blob.size or 0,
            await is_here(repository, blob.digest),
            await self._shared_with(repository.name, blob.digest),
        )

    @deferred
    async def _shared_with(self, name: RepositoryName, digest: Digest) -> int | None:
        if self._holders is None:
            return None
        try:
            holders = await self._holders.holders(digest=digest)
        except LedgerAway:
            return None
        return len(holders - {name})
