"""Remembering descriptors: a bounded cache, and a statter that uses one."""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.interfaces.blobs import IBlobDescriptorService, IBlobStatter
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import BlobUnknown
from txregistry.spec.reference import RepositoryName
from txregistry.storage.cache import RepositoryCache


@implementer(IBlobDescriptorService)
@attrs.define(eq=False)
class RepositoryDescriptors:
    """One repository's view of a :class:`RepositoryCache`."""

    _cache: RepositoryCache[Descriptor]
    _name: RepositoryName

    def stat(self, digest: Digest) -> Deferred[Descriptor]:
        """Fire with what is remembered; fail with ``BlobUnknown`` otherwise."""
        found = self._cache.find(self._name, digest)
        return fail(BlobUnknown(str(digest))) if found is None else succeed(found)

    def set_descriptor(self, digest: Digest, descriptor: Descriptor) -> Deferred[None]:
        """Remember a descriptor."""
        self._cache.remember(self._name, digest, descriptor)
        return succeed(None)

    def clear(self, digest: Digest) -> Deferred[None]:
        """Forget a digest."""
        self._cache.drop(self._name, digest)
        return succeed(None)


@implementer(IBlobDescriptorService)
@attrs.define(eq=False)
class CachedStatter:
    """A statter that asks a cache first and fills it from the backend."""

    _cache: IBlobDescriptorService
    _backend: IBlobStatter

    @deferred
    async def stat(self, digest: Digest) -> Descriptor:
        """Fire with the descriptor, remembered or looked up."""
        try:
            return await self._cache.stat(digest=digest)
        except BlobUnknown:
            descriptor = await self._backend.stat(digest=digest)
        await self._cache.set_descriptor(digest=digest, descriptor=descriptor)
        return descriptor

    def set_descriptor(self, digest: Digest, descriptor: Descriptor) -> Deferred[None]:
        """Remember a descriptor."""
        return self._cache.set_descriptor(digest=digest, descriptor=descriptor)

    def clear(self, digest: Digest) -> Deferred[None]:
        """Forget a digest."""
        return self._cache.clear(digest=digest)
