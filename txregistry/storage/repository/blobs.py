"""The blobs of one local repository: content to which its link files give access.

Note [Located]. A client that is sent to the storage reads without a lease and without
us: what it is sent to has to be there, be verified, and stay for a while. So the
content is looked at, which is one question to the storage, also where its descriptor
is remembered; a collection under way spares it as it does what was asked for lately. A
client for whom there is no URL is found out first: what it opens is looked at then.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.interfaces.blobs import (
    BlobLocation,
    BlobMount,
    IBlobDeleter,
    IBlobDescriptorService,
    IBlobIngester,
    IBlobLocator,
    IBlobReader,
    IBlobService,
    IBlobStatter,
    IBlobWriter,
    UploadStatus,
)
from txregistry.interfaces.driver import FileRequest, IURLProvider
from txregistry.interfaces.expiry import EntryKey, Kind
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import BlobUnknown, Unavailable
from txregistry.spec.reference import RepositoryName
from txregistry.storage.content.store import Content, Seen
from txregistry.storage.index.reconcile import Reconciler
from txregistry.storage.tree import layout
from txregistry.storage.tree.links import Links
from txregistry.storage.uploads.sessions import UploadSessions
from txregistry.storage.uploads.upload_writer import Upload


@implementer(IBlobStatter)
@attrs.define(eq=False)
class LinkedStatter:
    """Stats content through a repository's links."""

    _name: RepositoryName
    _links: Links
    _content: Content

    @deferred
    async def stat(self, digest: Digest) -> Descriptor:
        """Fire with the canonical descriptor if there is a link and the content."""
        return await self._content.stat(await self.linked(digest))

    @deferred
    async def linked(self, digest: Digest) -> Digest:
        """Fire with the digest to which one is linked; fail with ``BlobUnknown``."""
        canonical = await self._links.read(layout.layer_link(self._name, digest))
        if canonical is None:
            raise BlobUnknown(str(digest))
        return canonical


@implementer(IBlobService, IBlobIngester, IBlobDeleter)
@attrs.define(eq=False)
class LinkedBlobs:
    """The blobs of one repository."""

    _name: RepositoryName
    _links: Links
    _content: Content
    _descriptors: IBlobDescriptorService
    _uploads: UploadSessions
    _reconciler: Reconciler
    _clock: IReactorTime

    @deferred
    async def stat(self, digest: Digest) -> Descriptor:
        """Fire with a blob's descriptor."""
        return (await self.look_at(digest)).descriptor

    @deferred
    async def look_at(self, digest: Digest) -> Seen:
        """Fire with what is stored of a blob; fail with ``BlobUnknown``."""
        descriptor = await self._descriptors.stat(digest=digest)
        self._content.pins.use(descriptor.digest)
        try:
            return await self._content.look_at(descriptor.digest)
        except BlobUnknown:
            # As in open(): HEAD answers as GET would.
            await self._forget(digest)
            raise

    @deferred
    async def open(self, digest: Digest) -> IBlobReader:
        """Open a blob."""
        descriptor = await self._descriptors.stat(digest=digest)
        try:
            return await self._content.open(descriptor.digest)
        except BlobUnknown:
            # The content was deleted without the cache being told.
            await self._forget(digest)
            raise

    @deferred
    async def create(
        self, mount: BlobMount | None = None, algorithm: str | None = None
    ) -> IBlobWriter | Descriptor:
        """Begin an upload, or link content that is there."""
        if mount is not None:
            mounted = await self._find_and_mount(mount)
            if mounted is not None:
                return mounted
        begun = await self.begin(algorithm)
        upload: Upload = await self._uploads.resume(begun.upload_id, _accept)
        return upload

    def begin(self, algorithm: str | None = None) -> Deferred[UploadStatus]:
        """Begin an upload that other requests resume."""
        return self._uploads.begin(now=self._clock.seconds(), algorithm=algorithm)

    def status(
        self, upload_id: str, begun_at: float | None = None
    ) -> Deferred[UploadStatus]:
        """Fire with where an upload stands."""
        return self._uploads.status(upload_id, begun_at)

    @deferred
    async def resume(
        self,
        upload_id: str,
        check: Callable[[UploadStatus], None],
        begun_at: float | None = None,
    ) -> IBlobWriter:
        """Resume an upload."""
        upload: Upload = await self._uploads.resume(upload_id, check, begun_at)
        return upload

    @deferred
    async def delete(self, digest: Digest) -> None:
        """Unlink a blob from this repository.

        Holds the lock of its content, so that no concurrent link re-caches it; if the
        blob is not linked, the lock of the digest that was given.
        """
        linked = await self._links.read(layout.layer_link(self._name, digest))
        key = digest if linked is None else linked
        await self._content.locks.run(key, lambda: self._delete(digest))

    @deferred
    async def delete_dangling(self, digest: Digest) -> bool:
        """Unlink a blob if its data is not there."""
        linked = await self._links.read(layout.layer_link(self._name, digest))
        if linked is None:
            return False
        target = linked
        return await self._content.locks.run(
            target, lambda: self._delete_if_dangling(digest, target)
        )

    @deferred
    async def _delete_if_dangling(self, digest: Digest, target: Digest) -> bool:
        # A client may have uploaded it meanwhile.
        if await self._content.is_there(target):
            return False
        return await self._unlink(digest)

    @deferred
    async def _delete(self, digest: Digest) -> None:
        if not await self._unlink(digest):
            raise BlobUnknown(str(digest))

    @deferred
    async def _unlink(self, digest: Digest) -> bool:
        await self._descriptors.clear(digest=digest)
        removed = await self._links.remove(
            layout.layer_link(self._name, digest), layout.REPOSITORIES
        )
        self._content.unlinked(self._key(digest))
        # A concurrent lookup may have re-cached it.
        await self._forget(digest)
        await self._reconciler.removed(self._name)
        return removed

    def _key(self, digest: Digest) -> EntryKey:
        return EntryKey(self._name, Kind.BLOB, str(digest))

    @deferred
    async def _forget(self, digest: Digest) -> None:
        """Clear what is gone from the cache; one that is away is told later."""
        with suppress(Unavailable):
            await self._descriptors.clear(digest=digest)

    @deferred
    async def _find_and_mount(self, mount: BlobMount) -> Descriptor | None:
        canonical: Digest | None = mount.digest
        if mount.source is not None:
            link = layout.layer_link(mount.source, mount.digest)
            canonical = await self._links.read(link)
        if canonical is None:
            return None
        found = canonical
        return await self._content.locks.run_all(
            sorted({found, mount.digest}), lambda: self._mount(mount, found)
        )

    @deferred
    async def _mount(self, mount: BlobMount, canonical: Digest) -> Descriptor | None:
        self._content.pin(canonical)
        try:
            descriptor = await self._content.stat(canonical)
        except BlobUnknown:
            return None
        changes = []
        for digest in {mount.digest, canonical}:
            link = layout.layer_link(self._name, digest)
            changes += await self._links.change(link, canonical)
        await self._links.apply(changes)
        self._content.linked(self._key(mount.digest), canonical)
        self._reconciler.added(self._name)
        await self._descriptors.set_descriptor(
            digest=mount.digest, descriptor=descriptor
        )
        return descriptor


@implementer(IBlobLocator)
@attrs.define(eq=False)
class LocatedBlobs(LinkedBlobs):
    """The blobs of one repository, on a driver that has URLs."""

    _urls: IURLProvider

    @deferred
    async def locate(self, digest: Digest, request: FileRequest) -> BlobLocation | None:
        """Fire with where a client reads a blob.

        Content that is not verified has to come through us, who find out meanwhile.
        """
        url = await self._url(digest, request)
        if url is None:
            return None
        seen = await self.look_at(digest)
        if not seen.is_verified:
            return None
        if seen.descriptor.digest != digest:
            url = await self._url(seen.descriptor.digest, request)
        return None if url is None else BlobLocation(seen.descriptor, url)

    def _url(self, digest: Digest, request: FileRequest) -> Deferred[str | None]:
        return self._urls.url(path=layout.blob_data(digest), request=request)


def _accept(status: UploadStatus) -> None:
    """Accept the state of an upload that has just begun."""
