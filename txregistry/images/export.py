"""Give what is stored of images, for whoever carries it to another registry."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.flow.turns import Turns
from txregistry.images.closure import ImagePart, walk_image
from txregistry.images.explain import (
    is_here,
    stored_digest,
    tag_times,
)
from txregistry.images.findings import BLOBS_AT_ONCE, Findings
from txregistry.images.ready import why_not_ready
from txregistry.interfaces.blobs import IBlobProvider, IBlobReader
from txregistry.interfaces.images import ImageReport, ImagesRefused
from txregistry.interfaces.namespace import INamespace, IRepository
from txregistry.interfaces.transfers import (
    ExportPart,
    ExportPlan,
    IImageExporter,
    PartKind,
)
from txregistry.spec import mediatypes
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import BlobUnknown
from txregistry.spec.imagename import ImageName
from txregistry.spec.platforms import WantedPlatform
from txregistry.spec.upstreams import UpstreamTable


@implementer(IImageExporter)
@attrs.frozen(eq=False)
class Exporter:
    """Plans what an image is made of, and opens it.

    :param namespace: gives that of the cache, which a reload changes; of a registry
        the local one.
    :param upstreams: likewise; of a registry without any.
    :param local: what is stored.
    :param content: all of it, whoever links it.
    """

    _namespace: Callable[[], INamespace]
    _upstreams: Callable[[], UpstreamTable]
    _local: INamespace
    _content: IBlobProvider
    _clock: IReactorTime

    @deferred
    async def plan(
        self,
        image: ImageName,
        platforms: Sequence[WantedPlatform],
        is_partial: bool = False,
    ) -> ExportPlan:
        """Look what is here of an image; see :class:`IImageExporter`."""
        stored = await self._local.repository(name=image.repository)
        plan = ExportPlan(str(image), self._full_name(image))
        top = await stored_digest(stored, image)
        is_there = top is not None and await stored.manifests.exists(digest=top)
        lacks = await self._lacks(stored, image, top if is_there else None, platforms)
        if lacks and not is_partial:
            raise ImagesRefused(f"{image}: {lacks}")
        if top is None or not is_there:
            return plan
        found = await stored.manifests.get(digest=top)
        times = await tag_times(self._namespace(), image)
        return attrs.evolve(
            plan,
            digest=str(top),
            media_type=found.media_type,
            size=len(found.content),
            confirmed_at=None if times is None else times.confirmed_at,
            parts=await _parts(stored, top, platforms),
        )

    @deferred
    async def open(self, digest: Digest) -> IBlobReader:
        """Open a part; see :class:`IImageExporter`."""
        try:
            return await self._content.open(digest=digest)
        except BlobUnknown as error:
            raise ImagesRefused(f"{digest} is not here any more") from error

    def _full_name(self, image: ImageName) -> str:
        upstream = self._upstreams().upstream_of(image.repository)
        if upstream is None:
            return ""
        name = upstream.at_upstream(image.repository).text
        return f"{upstream.hosts[0]}/{name}{image.reference}"

    @deferred
    async def _lacks(
        self,
        stored: IRepository,
        image: ImageName,
        top: Digest | None,
        platforms: Sequence[WantedPlatform],
    ) -> str:
        findings = Findings(stored, Turns(self._clock, BLOBS_AT_ONCE))
        found = () if top is None else await findings.platforms(top)
        report = ImageReport(
            str(image), "", "" if top is None else str(top), platforms=found
        )
        # How old a tag is does not matter.
        return why_not_ready(report, platforms, 0.0)


@deferred
async def _parts(
    stored: IRepository, top: Digest, platforms: Sequence[WantedPlatform]
) -> tuple[ExportPart, ...]:
    """Fire with the parts that are here; what lacks a blob is left out."""
    found: dict[Digest, ExportPart] = {}
    referrers: set[Digest] = set()

    @deferred
    async def list_referrers(digest: Digest) -> Sequence[Descriptor]:
        listed = await stored.referrers.list(digest=digest)
        referrers.update(item.descriptor.digest for item in listed)
        return [item.descriptor for item in listed]

    async for part in walk_image(
        lambda digest: stored.manifests.get(digest=digest),
        top,
        platforms,
        list_referrers,
    ):
        refers = part.descriptor.digest in referrers
        for item in await _of_manifest(stored, part, refers):
            found.setdefault(Digest.parse(item.digest), item)
    return tuple(found.values())


@deferred
async def _of_manifest(
    stored: IRepository, part: ImagePart, refers: bool
) -> list[ExportPart]:
    """Fire with a manifest and its blobs; with nothing if it lacks one.

    :raise ImagesRefused: it has a form that an OCI image layout cannot hold.
    """
    manifest = part.manifest
    if manifest is None:
        return []
    if manifest.media_type in mediatypes.SCHEMA1_TYPES:
        reason = "of schema 1, which no OCI image layout can hold"
        raise ImagesRefused(f"{manifest.digest} is a manifest {reason}")
    for blob in part.blobs:
        if not await is_here(stored, blob.digest):
            return []
    whole = [_described(part.descriptor, PartKind.MANIFEST, refers)]
    return whole + [_described(blob, PartKind.BLOB) for blob in part.blobs]


def _described(
    descriptor: Descriptor, kind: PartKind, refers: bool = False
) -> ExportPart:
    return ExportPart(
        str(descriptor.digest),
        descriptor.size or 0,
        descriptor.media_type,
        kind,
        refers,
    )
