"""Fetch all of an image: its manifests one after the other, then its blobs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
from twisted.internet.defer import (
    Deferred,
    DeferredSemaphore,
    FirstError,
    gatherResults,
)
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from txregistry.flow.deferred import deferred
from txregistry.images.closure import ImagePart, walk_image
from txregistry.images.explain import is_here
from txregistry.interfaces.blobs import IBlobFetcher
from txregistry.interfaces.images import PartState, TellWarm, WarmProgress, WarmReport
from txregistry.interfaces.namespace import INamespace, IRepository
from txregistry.interfaces.tags import IConfirmedTags
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import RegistryError
from txregistry.spec.imagename import ImageName
from txregistry.spec.manifest.model import Manifest
from txregistry.spec.platforms import WantedPlatform

#: Gives how many bytes of a download are here; ``None`` without one.
Written = Callable[[Digest], int | None]

#: Blobs of one image that are fetched at a time.
CONCURRENT_BLOBS = 3

#: Seconds between two reports of how far downloads have come.
TELL_SECONDS = 0.5


@attrs.define(eq=False)
class Warmer:
    """Fetches images by the cache, as a client's pull would.

    :param namespace: gives that of the cache.
    :param local: what is stored.
    :param written: gives how many bytes of a download are here.
    """

    _namespace: Callable[[], INamespace]
    _local: INamespace
    _written: Written
    _clock: IReactorTime

    @deferred
    async def warm(
        self, image: ImageName, platforms: Sequence[WantedPlatform], tell: TellWarm
    ) -> WarmReport:
        """Fetch one image; see :class:`IImages`."""
        report = WarmReport(str(image))
        try:
            cached = await self._namespace().repository(name=image.repository)
            stored = await self._local.repository(name=image.repository)
            top = await resolve(cached, image)
        except RegistryError as error:
            report.failures.append(f"{image}: {described(error)}")
            return report
        report.digest = str(top)
        work = _Warming(cached, stored, self._written, report, tell)
        ticks = LoopingCall(work.tell_all)
        ticks.clock = self._clock
        ticks.start(TELL_SECONDS, now=False)
        try:
            await work.run(top, platforms)
        finally:
            ticks.stop()
        return report


@deferred
async def resolve(repository: IRepository, image: ImageName) -> Digest:
    """Fire with an image's digest, as the upstream says now.

    Fails with ``ManifestUnknown``, or as the upstream does.
    """
    if image.digest is not None:
        return image.digest
    assert image.tag is not None
    if IConfirmedTags.providedBy(repository.tags):
        return (await IConfirmedTags(repository.tags).refresh(tag=image.tag)).digest
    return (await repository.tags.get(tag=image.tag)).digest


def described(error: RegistryError) -> str:
    """Return an error for people: its message, and its reason if it has one."""
    detail = error.detail if isinstance(error.detail, dict) else {}
    reason = detail.get("reason") or detail.get("rule")
    return f"{error.message}: {reason}" if reason else error.message


@attrs.define(eq=False)
class _Warming:
    """The work for one image."""

    _cached: IRepository
    _stored: IRepository
    _written: Written
    _report: WarmReport
    _tell: TellWarm
    _fetching: dict[Digest, Descriptor] = attrs.field(factory=dict)

    @deferred
    async def run(self, top: Digest, platforms: Sequence[WantedPlatform]) -> None:
        """Fetch the manifests, then the blobs."""
        blobs: dict[Digest, Descriptor] = {}
        try:
            async for part in walk_image(
                self._have_manifest, top, platforms, self._referrers
            ):
                self._count(part)
                blobs.update((blob.digest, blob) for blob in part.blobs)
        except RegistryError as error:
            self._report.failures.append(f"a manifest: {described(error)}")
        for blob in blobs.values():
            self._say(blob, PartState.WAITING, 0)
        slots = DeferredSemaphore(CONCURRENT_BLOBS)
        work = [slots.run(self._have, blob) for blob in blobs.values()]
        await _all(work)

    @deferred
    async def _have_manifest(self, digest: Digest) -> Manifest:
        was_here = await self._stored.manifests.exists(digest=digest)
        manifest = await self._cached.manifests.get(digest=digest)
        self._report.fetched += not was_here
        return manifest

    @deferred
    async def _referrers(self, digest: Digest) -> Sequence[Descriptor]:
        """List signatures and the like; that it cannot be done is reported."""
        try:
            found = await self._cached.referrers.list(digest=digest)
        except RegistryError as error:
            failure = f"{digest}: its referrers: {described(error)}"
            self._report.failures.append(failure)
            return []
        return [referrer.descriptor for referrer in found]

    def _count(self, part: ImagePart) -> None:
        self._report.parts += 1
        digest = part.descriptor.digest
        if part.manifest is None:
            self._report.failures.append(f"{digest}: manifest unknown")

    @deferred
    async def _have(self, blob: Descriptor) -> None:
        """Fetch a blob, unless it is here; a failure is reported."""
        self._report.parts += 1
        was_here = await is_here(self._stored, blob.digest)
        self._fetching[blob.digest] = blob
        try:
            await fetched(self._cached, blob.digest)
        except RegistryError as error:
            self._report.failures.append(f"{blob.digest}: {described(error)}")
            self._say(blob, PartState.FAILED, 0)
            return
        finally:
            self._fetching.pop(blob.digest, None)
        if not was_here:
            self._report.fetched += 1
            self._report.fetched_bytes += blob.size or 0
        self._say(blob, PartState.HERE, blob.size or 0)

    def tell_all(self) -> None:
        """Tell how far downloads have come."""
        for digest, blob in self._fetching.items():
            written = self._written(digest)
            if written is not None:
                self._say(blob, PartState.FETCHING, written)

    def _say(self, blob: Descriptor, state: PartState, done: int) -> None:
        self._tell(
            WarmProgress(
                self._report.image, str(blob.digest), "blob", state, blob.size, done
            )
        )


@deferred
async def fetched(repository: IRepository, digest: Digest) -> None:
    """Have a blob here; fails as the upstream does, or with ``BlobUnknown``."""
    if IBlobFetcher.providedBy(repository.blobs):
        await IBlobFetcher(repository.blobs).fetch(digest=digest)
    else:
        await repository.blobs.stat(digest=digest)


@deferred
async def _all(work: list[Deferred[None]]) -> None:
    """Wait for all; cancelling, or a fault, cancels the rest."""
    try:
        await gatherResults(work, consumeErrors=True)
    except FirstError as error:
        error.subFailure.raiseException()
    finally:
        for one in work:
            one.cancel()
