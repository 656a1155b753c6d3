"""The caches over storage; an entry is dropped before its content is deleted."""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred

from txregistry.interfaces.blobs import IDescriptorCache
from txregistry.spec.digest import Digest
from txregistry.spec.manifest.model import Manifest
from txregistry.storage.caches.repository_cache import RepositoryCache

#: Bytes of memory for manifests that were read and verified.
MANIFEST_BYTES = 16 * 1024 * 1024


def _manifests() -> RepositoryCache[Manifest]:
    return RepositoryCache(MANIFEST_BYTES, lambda found: found.memory_bytes)


@attrs.define(eq=False)
class Caches:
    """The caches of one local registry."""

    descriptors: IDescriptorCache
    manifests: RepositoryCache[Manifest] = attrs.field(factory=_manifests)

    def forget(self, digest: Digest) -> Deferred[None]:
        """Forget a digest in every repository."""
        self.manifests.drop_everywhere(digest)
        return self.descriptors.forget(digest=digest)
