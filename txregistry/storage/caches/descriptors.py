"""A cache of descriptors in memory, and statters that ask a cache first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.interfaces.blobs import (
    IBlobDescriptorService,
    IBlobStatter,
    IDescriptorCache,
)
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import BlobUnknown, Unavailable
from txregistry.spec.reference import RepositoryName
from txregistry.speed.failures import failed
from txregistry.storage.caches.repository_cache import RepositoryCache


@implementer(IBlobDescriptorService)
@attrs.define(eq=False)
class RepositoryDescriptors:
    """One repository's view of a :class:`RepositoryCache`."""

    _cache: RepositoryCache[Descriptor]
    _name: RepositoryName

    def stat(self, digest: Digest) -> Deferred[Descriptor]:
        """Fire with the cached descriptor; fail with ``BlobUnknown`` without one."""
        found = self._cache.find(self._name, digest)
        return failed(BlobUnknown(str(digest))) if found is None else succeed(found)

    def set_descriptor(self, digest: Digest, descriptor: Descriptor) -> Deferred[None]:
        """Remember a descriptor."""
        self._cache.remember(self._name, digest, descriptor)
        return succeed(None)

    def clear(self, digest: Digest) -> Deferred[None]:
        """Forget a digest."""
        self._cache.drop(self._name, digest)
        return succeed(None)


@implementer(IDescriptorCache)
@attrs.define(eq=False)
class MemoryDescriptors:
    """A cache in this process; each entry was read from its repository's links.

    :param limit: of descriptors; 0 for none.
    """

    _limit: int
    is_shared: bool = False
    owes: int = 0
    _cache: RepositoryCache[Descriptor] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._cache = RepositoryCache(self._limit)

    def repository(self, name: RepositoryName) -> IBlobDescriptorService:
        """Give the cache of one repository."""
        return RepositoryDescriptors(self._cache, name)

    def forget(self, digest: Digest) -> Deferred[None]:
        """Forget a digest in all repositories."""
        self._cache.drop_everywhere(digest)
        return succeed(None)


@implementer(IBlobDescriptorService)
@attrs.define(eq=False)
class CachedStatter:
    """A statter that asks a cache first and fills it from the backend."""

    _cache: IBlobDescriptorService
    _backend: IBlobStatter

    @deferred
    async def stat(self, digest: Digest) -> Descriptor:
        """Fire with the descriptor, from the cache or the backend."""
        try:
            return await self._cache.stat(digest=digest)
        except BlobUnknown:
            descriptor = await self._backend.stat(digest=digest)
        await self._cache.set_descriptor(digest=digest, descriptor=descriptor)
        await _confirm(self._cache, digest, self._backend.stat)
        return descriptor

    def set_descriptor(self, digest: Digest, descriptor: Descriptor) -> Deferred[None]:
        """Remember a descriptor."""
        return self._cache.set_descriptor(digest=digest, descriptor=descriptor)

    def clear(self, digest: Digest) -> Deferred[None]:
        """Forget a digest."""
        return self._cache.clear(digest=digest)


@implementer(IBlobDescriptorService)
@attrs.define(eq=False)
class BelievedStatter:
    """A statter over a cache of all nodes, which is asked instead of the links.

    For an object store, where each look at a link is a request. What is deleted has to
    be gone from the cache first: while that is away, nothing is deleted.
    """

    _cached: CachedStatter
    _backend: IBlobStatter
    _all: IDescriptorCache

    @deferred
    async def stat(self, digest: Digest) -> Descriptor:
        """Fire with the descriptor, from the cache or the backend."""
        found: Descriptor = await self._cached.stat(digest=digest)
        is_alias = found.digest.algorithm != digest.algorithm
        if found.digest == digest or is_alias:
            return found
        # Whatever wrote this to the cache, it is the content of another digest.
        return await self._backend.stat(digest=digest)

    def set_descriptor(self, digest: Digest, descriptor: Descriptor) -> Deferred[None]:
        """Remember a descriptor."""
        return self._cached.set_descriptor(digest=digest, descriptor=descriptor)

    @deferred
    async def clear(self, digest: Digest) -> None:
        """Forget a digest; fail with ``Unavailable`` if the cache cannot be told."""
        await self._cached.clear(digest=digest)
        if self._all.owes:
            reason = "the cache of descriptors cannot be told of a deletion"
            raise Unavailable({"reason": reason})


@implementer(IBlobDescriptorService)
@attrs.define(eq=False)
class LinkStatter:
    """A statter that remembers nothing, for links that others write to as well.

    A descriptor has no size: who wants it looks at the content anyway.
    """

    _linked: Callable[[Digest], Deferred[Digest]]

    @deferred
    async def stat(self, digest: Digest) -> Descriptor:
        """Fire with what a digest is linked to; fail with ``BlobUnknown``."""
        return Descriptor(await self._linked(digest), None)

    def set_descriptor(self, digest: Digest, descriptor: Descriptor) -> Deferred[None]:
        """Do nothing."""
        return succeed(None)

    def clear(self, digest: Digest) -> Deferred[None]:
        """Do nothing."""
        return succeed(None)


@implementer(IBlobDescriptorService)
@attrs.define(eq=False)
class SharedStatter:
    """A statter over a cache that others write to as well.

    The repository's links are checked first and decide who may see what; the cache is
    trusted only about which content a digest stands for.
    """

    _cache: IBlobDescriptorService
    _linked: Callable[[Digest], Deferred[Digest]]
    _content: IBlobStatter

    @deferred
    async def stat(self, digest: Digest) -> Descriptor:
        """Fire with the descriptor of what a digest is linked to."""
        canonical = await self._linked(digest)
        found = await self._remembered(digest)
        if found is not None and found.digest == canonical:
            return found
        descriptor = await self._content.stat(digest=canonical)
        await self._cache.set_descriptor(digest=digest, descriptor=descriptor)
        await _confirm(self._cache, digest, self._linked)
        return descriptor

    @deferred
    async def _remembered(self, digest: Digest) -> Descriptor | None:
        try:
            return await self._cache.stat(digest=digest)
        except BlobUnknown:
            return None

    def set_descriptor(self, digest: Digest, descriptor: Descriptor) -> Deferred[None]:
        """Remember a descriptor."""
        return self._cache.set_descriptor(digest=digest, descriptor=descriptor)

    def clear(self, digest: Digest) -> Deferred[None]:
        """Forget a digest."""
        return self._cache.clear(digest=digest)


async def _confirm(
    cache: IBlobDescriptorService,
    digest: Digest,
    look: Callable[[Digest], Deferred[Any]],
) -> None:
    """Forget content that was deleted between the lookup and the caching of it."""
    try:
        await look(digest)
    except BlobUnknown:
        await cache.clear(digest=digest)
        raise
