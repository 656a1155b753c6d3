"""Take images in that did not come from their upstreams.

Note [Trusted carrier]. Only who may open the control socket imports. So an upstream is
not asked whether a repository may have what is imported, and a tag counts as confirmed
when the exporting cache had it confirmed: it is asked about again, or too old to be
served, as any other. Bytes are trusted by nobody: each part has to match its digest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import attrs
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.flow.streams import BoundedConsumer, ShortRead
from txregistry.flow.turns import Turns
from txregistry.images.counted import CountedConsumer
from txregistry.images.explain import is_here
from txregistry.images.findings import BLOBS_AT_ONCE, Findings
from txregistry.images.ready import why_not_ready
from txregistry.images.warm import described
from txregistry.interfaces.blobs import (
    BlobMount,
    IBlobIngester,
    IBlobWriter,
    IContent,
)
from txregistry.interfaces.eviction import IRoom
from txregistry.interfaces.fills import IPartialBlobs
from txregistry.interfaces.images import ImageReport, ImagesRefused
from txregistry.interfaces.manifests import IManifestStore
from txregistry.interfaces.namespace import INamespace, IRepository
from txregistry.interfaces.tags import IConfirmedTags, ITagStore
from txregistry.interfaces.transfers import (
    IBlobAdopter,
    IImageImporter,
    IIncomingBody,
    IManifestAdopter,
    ITagAdopter,
)
from txregistry.spec import mediatypes
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import (
    BlobUnknown,
    ManifestTooLarge,
    ManifestUnknown,
    RegistryError,
)
from txregistry.spec.imagename import ImageName
from txregistry.spec.manifest.blobs import blobs_of
from txregistry.spec.manifest.model import MAX_MANIFEST_BYTES, Manifest
from txregistry.spec.manifest.parse import parse
from txregistry.spec.reference import RepositoryName, Tag


@attrs.frozen
class _Place:
    """Where an image goes: what is stored, and what clients see of it."""

    stored: IRepository
    shown: IRepository


@implementer(IImageImporter)
@attrs.define(eq=False)
class Importer:
    """Stores the parts of images; see Note [Trusted carrier].

    :param namespace: gives that of the cache, which a reload changes; of a registry
        the local one.
    :param local: what is stored.
    :param room: on the disk of a cache; ``None`` for a registry.
    :param partials: parts of blobs of a cache, likewise.
    :ivar refusal: why nothing is taken; empty if something is.
    """

    _namespace: Callable[[], INamespace]
    _local: INamespace
    _content: IContent
    _room: IRoom | None
    _partials: IPartialBlobs | None
    _clock: IReactorTime
    refusal: str = ""

    @deferred
    async def lacks(
        self, image: ImageName, blobs: Sequence[Descriptor]
    ) -> list[Descriptor]:
        """Link what is stored of some blobs; see :class:`IImageImporter`."""
        with _explained(image):
            place = await self._place(image.repository)
            return [blob for blob in blobs if not await self._have(place, blob)]

    @deferred
    async def take_blob(
        self, image: ImageName, blob: Descriptor, body: IIncomingBody
    ) -> None:
        """Store and link a blob; see :class:`IImageImporter`."""
        with _explained(image):
            place = await self._place(image.repository)
            if self._partials is not None:
                # It is of no use any more, and takes room.
                await self._partials.discard(digest=blob.digest)
            if self._room is None:
                await _store_blob(place, blob, body, _count_nothing)
                return
            room = await self._room.reserve(digest=blob.digest, size=blob.size or 0)
            try:
                await _store_blob(place, blob, body, lambda size: room.wrote(size=size))
            finally:
                room.release(kept=0)

    @deferred
    async def take_manifest(
        self, image: ImageName, manifest: Descriptor, body: IIncomingBody
    ) -> None:
        """Store a manifest; see :class:`IImageImporter`."""
        with _explained(image):
            place = await self._place(image.repository)
            content = await _collected(manifest, body)
            kind, digest = manifest.media_type, manifest.digest
            found = parse(content, kind, digest.algorithm)
            _check(found, digest)
            # As at a push: what is looked for stays until the manifest holds it.
            store = cast(IManifestStore, place.stored.manifests)
            await store.pin(manifest=found)
            await _check_blobs(place.stored, found)
            if IManifestAdopter.providedBy(place.shown.manifests):
                await IManifestAdopter(place.shown.manifests).adopt(manifest=found)
            else:
                await store.put(manifest=found)

    @deferred
    async def complete(
        self, image: ImageName, top: Digest, confirmed_at: float | None
    ) -> bool:
        """Set the tag of an image; see :class:`IImageImporter`."""
        with _explained(image):
            if image.digest not in (None, top):
                raise ImagesRefused(f"what was sent is {top}")
            place = await self._place(image.repository)
            found = await place.stored.manifests.get(digest=top)
            turns = Turns(self._clock, BLOBS_AT_ONCE)
            await _check_whole(Findings(place.stored, turns), top)
            if image.tag is None:
                return True
            now = self._clock.seconds()
            at = now if confirmed_at is None else min(confirmed_at, now)
            if await _is_later(place, image.tag, top, at):
                return False
            await _set_tag(place, image.tag, found.descriptor, at)
            return True

    @deferred
    async def _place(self, name: RepositoryName) -> _Place:
        if self.refusal:
            raise ImagesRefused(self.refusal)
        stored = await self._local.repository(name=name)
        return _Place(stored, await self._namespace().repository(name=name))

    @deferred
    async def _have(self, place: _Place, blob: Descriptor) -> bool:
        """Fire with whether a blob is here, now if not before."""
        if await is_here(place.stored, blob.digest):
            return True
        try:
            found = await self._content.stat(digest=blob.digest)
        except BlobUnknown:
            return False
        # If they differ, one of the two is wrong, and the digest shows which.
        agrees = found.size == blob.size
        if not agrees and not await self._content.verify(digest=blob.digest):
            return False
        if IBlobAdopter.providedBy(place.shown.blobs):
            await IBlobAdopter(place.shown.blobs).adopt(descriptor=found)
            return True
        linked = await IBlobIngester(place.stored.blobs).create(
            mount=BlobMount(blob.digest)
        )
        if isinstance(linked, Descriptor):
            return True
        await linked.cancel()
        return False


def _count_nothing(size: int) -> None:
    """Leave written bytes uncounted."""


@deferred
async def _store_blob(
    place: _Place, blob: Descriptor, body: IIncomingBody, came: Callable[[int], object]
) -> None:
    ingester = IBlobIngester(place.stored.blobs)
    writer = await ingester.create(algorithm=blob.digest.algorithm)
    assert not isinstance(writer, Descriptor)
    try:
        await _written(writer, body, came)
        if IBlobAdopter.providedBy(place.shown.blobs):
            adopter = IBlobAdopter(place.shown.blobs)
            await adopter.commit(writer=writer, descriptor=blob)
        else:
            await writer.commit(provisional=blob)
    except BaseException:
        await writer.cancel()
        raise


@deferred
async def _written(
    writer: IBlobWriter, body: IIncomingBody, came: Callable[[int], object]
) -> None:
    try:
        await body.read(consumer=CountedConsumer(writer, came))
    finally:
        # Raises the disk's error, if that stopped the body.
        await writer.flush()


@deferred
async def _collected(manifest: Descriptor, body: IIncomingBody) -> bytes:
    if (manifest.size or 0) > MAX_MANIFEST_BYTES:
        raise ManifestTooLarge({"limit": MAX_MANIFEST_BYTES})
    consumer = BoundedConsumer(MAX_MANIFEST_BYTES)
    await body.read(consumer=consumer)
    return consumer.content


def _check(manifest: Manifest, digest: Digest) -> None:
    if manifest.media_type in mediatypes.SCHEMA1_TYPES:
        raise ImagesRefused(f"{digest} is a manifest of schema 1")
    if manifest.digest != digest:
        raise ImagesRefused(f"{digest} was sent as content of {manifest.digest}")


@deferred
async def _check_blobs(stored: IRepository, manifest: Manifest) -> None:
    for blob in blobs_of(manifest):
        if not await is_here(stored, blob.digest):
            raise ImagesRefused(f"{manifest.digest} is made of {blob.digest}: not here")


@deferred
async def _check_whole(findings: Findings, top: Digest) -> None:
    """Check that a pull of what is here would lack nothing."""
    found = await findings.platforms(top)
    lacks = why_not_ready(ImageReport("", "", str(top), found), (), 0.0)
    if lacks:
        raise ImagesRefused(lacks)


@deferred
async def _set_tag(place: _Place, tag: Tag, found: Descriptor, at: float) -> None:
    if ITagAdopter.providedBy(place.shown.tags):
        tags = ITagAdopter(place.shown.tags)
        await tags.adopt(tag=tag, descriptor=found, confirmed_at=at)
    else:
        await cast(ITagStore, place.stored.tags).tag(tag=tag, descriptor=found)


@deferred
async def _is_later(place: _Place, tag: Tag, top: Digest, confirmed_at: float) -> bool:
    """Fire with whether an upstream has said since that a tag is something else."""
    if not IConfirmedTags.providedBy(place.shown.tags):
        return False
    try:
        stored = await place.stored.tags.get(tag=tag)
        times = await IConfirmedTags(place.shown.tags).times(tag=tag)
    except ManifestUnknown:
        return False
    return stored.digest != top and times.confirmed_at > confirmed_at


@contextmanager
def _explained(image: ImageName) -> Iterator[None]:
    """Fail with ``ImagesRefused`` for what the carrier has to see to."""
    try:
        yield
    except RegistryError as error:
        raise ImagesRefused(f"{image}: {described(error)}") from error
    except ImagesRefused as error:
        raise ImagesRefused(f"{image}: {error}") from error
    except ShortRead as error:
        raise ImagesRefused(f"{image}: the content ended early") from error
