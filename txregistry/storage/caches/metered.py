"""Count the lookups in any cache of descriptors."""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import implementer

from txregistry.interfaces.blobs import (
    CacheAway,
    IBlobDescriptorService,
    IDescriptorCache,
)
from txregistry.interfaces.observe import IMeter, Lookup
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import BlobUnknown
from txregistry.spec.reference import RepositoryName


@implementer(IDescriptorCache)
@attrs.define(eq=False)
class MeteredDescriptors:
    """A cache whose hits, misses and errors are counted."""

    _cache: IDescriptorCache
    _meter: IMeter

    @property
    def is_shared(self) -> bool:
        """Tell whether other processes write to the cache too."""
        return self._cache.is_shared

    @property
    def owes(self) -> int:
        """Count the deletions that others have not been told of."""
        return self._cache.owes

    def repository(self, name: RepositoryName) -> IBlobDescriptorService:
        """Give the cache of one repository."""
        return MeteredRepository(self._cache.repository(name=name), self._meter)

    def forget(self, digest: Digest) -> Deferred[None]:
        """Forget a digest in all repositories."""
        return self._cache.forget(digest=digest)


@implementer(IBlobDescriptorService)
@attrs.define(eq=False)
class MeteredRepository:
    """One repository's view of :class:`MeteredDescriptors`."""

    _cache: IBlobDescriptorService
    _meter: IMeter

    def stat(self, digest: Digest) -> Deferred[Descriptor]:
        """Fire with the cached descriptor; fail with ``BlobUnknown`` without one."""
        asked = self._cache.stat(digest=digest)
        return asked.addCallbacks(self._hit, self._missed)

    def set_descriptor(self, digest: Digest, descriptor: Descriptor) -> Deferred[None]:
        """Remember a descriptor."""
        return self._cache.set_descriptor(digest=digest, descriptor=descriptor)

    def clear(self, digest: Digest) -> Deferred[None]:
        """Forget a digest."""
        return self._cache.clear(digest=digest)

    def _hit(self, found: Descriptor) -> Descriptor:
        self._meter.descriptor(Lookup.HIT)
        return found

    def _missed(self, failure: Failure) -> Failure:
        if failure.check(CacheAway):
            self._meter.descriptor(Lookup.ERROR)
        elif failure.check(BlobUnknown):
            self._meter.descriptor(Lookup.MISS)
        return failure
