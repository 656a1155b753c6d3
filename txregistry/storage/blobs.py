"""The blobs of one local repository: content to which its link files give access."""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.interfaces.blobs import (
    BlobMount,
    IBlobDeleter,
    IBlobDescriptorService,
    IBlobIngester,
    IBlobReader,
    IBlobService,
    IBlobStatter,
    IBlobWriter,
)
from txregistry.interfaces.driver import IStorageDriver
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import BlobUnknown
from txregistry.spec.reference import RepositoryName
from txregistry.storage import layout
from txregistry.storage.content import Content
from txregistry.storage.links import Links
from txregistry.storage.uploads import Upload, Uploads


@implementer(IBlobStatter)
@attrs.define(eq=False)
class LinkedStatter:
    """Stats content by way of a repository's links."""

    _name: RepositoryName
    _links: Links
    _content: Content

    @deferred
    async def stat(self, digest: Digest) -> Descriptor:
        """Fire with the canonical descriptor if there is a link and the content."""
        canonical = await self._links.read(layout.layer_link(self._name, digest))
        if canonical is None:
            raise BlobUnknown(str(digest))
        return await self._content.stat(canonical)


@implementer(IBlobService, IBlobIngester, IBlobDeleter)
@attrs.define(eq=False)
class LinkedBlobs:
    """The blobs of one repository."""

    _name: RepositoryName
    _driver: IStorageDriver
    _content: Content
    _descriptors: IBlobDescriptorService
    _clock: IReactorTime

    def stat(self, digest: Digest) -> Deferred[Descriptor]:
        """Fire with a blob's descriptor."""
        return self._descriptors.stat(digest=digest)

    @deferred
    async def open(self, digest: Digest) -> IBlobReader:
        """Open a blob."""
        descriptor = await self._descriptors.stat(digest=digest)
        try:
            return await self._content.open(descriptor)
        except BlobUnknown:
            # The content went away behind the cache's back.
            await self._descriptors.clear(digest=digest)
            raise

    @deferred
    async def create(self, mount: BlobMount | None = None) -> IBlobWriter | Descriptor:
        """Begin an upload, or link content that is there."""
        if mount is not None:
            mounted = await self._content.locks.run(
                mount.digest, lambda: self._mount(mount)
            )
            if mounted is not None:
                return mounted
        upload: Upload = await self._uploads.create(self._clock.seconds())
        return upload

    @deferred
    async def resume(self, upload_id: str) -> IBlobWriter:
        """Go on with an upload."""
        upload: Upload = await self._uploads.resume(upload_id)
        return upload

    @deferred
    async def delete(self, digest: Digest) -> None:
        """Unlink a blob from this repository."""
        await self._descriptors.clear(digest=digest)
        removed = await Links(self._driver).remove(
            layout.layer_link(self._name, digest), layout.REPOSITORIES
        )
        # Whoever looked in between has it remembered again.
        await self._descriptors.clear(digest=digest)
        if not removed:
            raise BlobUnknown(str(digest))

    @property
    def _uploads(self) -> Uploads:
        return Uploads(self._name, self._driver, self._content)

    @deferred
    async def _mount(self, mount: BlobMount) -> Descriptor | None:
        links = Links(self._driver)
        canonical: Digest | None = mount.digest
        if mount.source is not None:
            canonical = await links.read(layout.layer_link(mount.source, mount.digest))
        if canonical is None:
            return None
        try:
            descriptor = await self._content.stat(canonical)
        except BlobUnknown:
            return None
        for digest in {mount.digest, canonical}:
            await links.write(layout.layer_link(self._name, digest), canonical)
        await self._descriptors.set_descriptor(
            digest=mount.digest, descriptor=descriptor
        )
        return descriptor
