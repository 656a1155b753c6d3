"""The content of all repositories: blobs by digest, whoever links them."""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer
from zope.interface import implementer

from txregistry.flow.deferred import KeyedLocks, deferred
from txregistry.flow.streams import ShortRead
from txregistry.interfaces.blobs import IBlobReader, IContent, ILinkIndex
from txregistry.interfaces.driver import IStorageDriver, PathNotFound
from txregistry.interfaces.files import IFileReader
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import BlobUnknown
from txregistry.storage import layout
from txregistry.storage.caches import Caches
from txregistry.storage.hashing import hash_file
from txregistry.storage.leases import Leases
from txregistry.storage.links import Links
from txregistry.storage.protection import Protection


@implementer(IBlobReader)
@attrs.define(eq=False)
class StoredBlob:
    """An open blob of the store; closing it ends the lease."""

    descriptor: Descriptor
    _file: IFileReader
    _release: Callable[[], None]

    @property
    def size(self) -> int:
        """Count its bytes."""
        return self._file.size

    def read(
        self, consumer: IConsumer, offset: int = 0, size: int | None = None
    ) -> Deferred[None]:
        """Push bytes into a consumer."""
        return self._file.read(consumer=consumer, offset=offset, size=size)

    def close(self) -> None:
        """Close the file and give up the lease."""
        self._file.close()
        self._release()


@implementer(IContent)
@attrs.define(eq=False)
class Content:
    """Content by digest on a driver.

    Linking and deleting the same content exclude one another: whatever links it
    holds :attr:`locks` for its digest from the look at the data to the link.
    """

    _driver: IStorageDriver
    _caches: Caches
    _index: ILinkIndex
    protection: Protection
    leases: Leases = attrs.field(factory=Leases)
    locks: KeyedLocks[Digest] = attrs.field(factory=KeyedLocks)

    @deferred
    async def verify(self, digest: Digest) -> bool:
        """Fire with whether the content that lies there has its digest."""
        path, hasher = layout.blob_data(digest), digest.hasher()
        try:
            found = await self._driver.stat(path)
            await hash_file(self._driver, path, found.size, hasher)
        except (PathNotFound, ShortRead):
            return False
        return digest.matches(hasher)

    @deferred
    async def stat(self, digest: Digest) -> Descriptor:
        """Fire with the descriptor of content that is there."""
        try:
            found = await self._driver.stat(layout.blob_data(digest))
        except PathNotFound as error:
            raise BlobUnknown(str(digest)) from error
        return Descriptor(digest, found.size)

    @deferred
    async def open(self, descriptor: Descriptor) -> IBlobReader:
        """Open content, under a lease.

        Fails with ``BlobUnknown`` also if its length is not what it was: damaged
        content is as good as missing, and can be fetched again.
        """
        release = self.leases.take(descriptor.digest)
        try:
            file = await self._driver.reader(layout.blob_data(descriptor.digest))
        except PathNotFound as error:
            release()
            raise BlobUnknown(str(descriptor.digest)) from error
        except BaseException:
            release()
            raise
        if descriptor.size is not None and file.size != descriptor.size:
            file.close()
            release()
            raise BlobUnknown(str(descriptor.digest))
        return StoredBlob(descriptor, file, release)

    def collect(self, digest: Digest) -> Deferred[bool]:
        """Delete content that nobody links or reads."""
        return self.locks.run(digest, lambda: self._collect(digest))

    def pin(self, digest: Digest) -> None:
        """Spare content from a collection; see Note [Pins]."""
        self.protection.pin(digest)

    def use(self, digest: Digest) -> None:
        """Spare content that was linked from a collection that has begun meanwhile.

        Called under the digest's lock, for which the collection waits as well.
        """
        self.protection.use(digest)

    @deferred
    async def forget_if_damaged(self, digest: Digest, size: int) -> None:
        """Forget what is remembered of content that has not the length it should."""
        try:
            found = await self._driver.stat(path=layout.blob_data(digest))
        except PathNotFound:
            return
        if found.size != size:
            await self._caches.forget(digest)

    def discard(self, digest: Digest, since: float) -> Deferred[bool]:
        """Delete content that a collection has found nobody refers to.

        :param since: content that was used after this time stays.
        :return: fires with whether it was deleted.
        """
        return self.locks.run(digest, lambda: self._discard(digest, since))

    @deferred
    async def _discard(self, digest: Digest, since: float) -> bool:
        if self.leases.held(digest) or self.protection.spares(digest, since):
            return False
        return await self._delete(digest)

    @deferred
    async def _collect(self, digest: Digest) -> bool:
        holders = await self._index.holders(digest=digest)
        if holders or self.leases.held(digest):
            return False
        return await self._delete(digest)

    @deferred
    async def _delete(self, digest: Digest) -> bool:
        await self._caches.forget(digest)
        return await Links(self._driver).remove(layout.blob(digest), layout.BLOBS)
