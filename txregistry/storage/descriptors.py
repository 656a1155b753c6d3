"""Remembering descriptors: a bounded cache, and a statter that uses one."""

from __future__ import annotations

from collections import OrderedDict

import attrs
from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.interfaces.blobs import IBlobDescriptorService, IBlobStatter
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import BlobUnknown
from txregistry.spec.reference import RepositoryName


@attrs.define(eq=False)
class MemoryDescriptors:
    """The least recently used descriptors of all repositories, up to a number.

    What is known is known per repository: the cache never grants what the link
    files of that repository did not.

    :param max_entries: 0 sets no limit.
    """

    _max_entries: int
    _entries: OrderedDict[tuple[RepositoryName, Digest], Descriptor] = attrs.field(
        factory=OrderedDict
    )

    def of(self, name: RepositoryName) -> IBlobDescriptorService:
        """Give the descriptors of one repository."""
        return RepositoryDescriptors(self, name)

    def find(self, name: RepositoryName, digest: Digest) -> Descriptor | None:
        """Look one up, which makes it the most recently used."""
        found = self._entries.get((name, digest))
        if found is not None:
            self._entries.move_to_end((name, digest))
        return found

    def remember(
        self, name: RepositoryName, digest: Digest, descriptor: Descriptor
    ) -> None:
        """Keep one, dropping the least recently used if there are too many."""
        self._entries[name, digest] = descriptor
        self._entries.move_to_end((name, digest))
        while self._max_entries and len(self._entries) > self._max_entries:
            self._entries.popitem(last=False)

    def drop(self, name: RepositoryName, digest: Digest) -> None:
        """Forget one."""
        self._entries.pop((name, digest), None)

    def drop_everywhere(self, digest: Digest) -> None:
        """Forget some content in all repositories, as before it is deleted."""
        doomed = [
            key
            for key, found in self._entries.items()
            if digest in (key[1], found.digest)
        ]
        for key in doomed:
            del self._entries[key]


@implementer(IBlobDescriptorService)
@attrs.define(eq=False)
class RepositoryDescriptors:
    """One repository's view of a :class:`MemoryDescriptors`."""

    _cache: MemoryDescriptors
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
class NoDescriptors:
    """Remembers nothing: what is used when no cache is configured."""

    def stat(self, digest: Digest) -> Deferred[Descriptor]:
        """Know nothing."""
        return fail(BlobUnknown(str(digest)))

    def set_descriptor(self, digest: Digest, descriptor: Descriptor) -> Deferred[None]:
        """Let it pass."""
        return succeed(None)

    def clear(self, digest: Digest) -> Deferred[None]:
        """Have nothing to forget."""
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
