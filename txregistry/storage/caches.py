"""What is remembered of storage, to be forgotten before it is taken away."""

from __future__ import annotations

import attrs

from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.manifest.model import Manifest
from txregistry.storage.cache import RepositoryCache

#: Manifests that are kept in memory, read and verified, in bytes of their documents.
MANIFEST_BYTES = 16 * 1024 * 1024


def _manifests() -> RepositoryCache[Manifest]:
    # A small document costs about a kilobyte beyond its own length.
    return RepositoryCache(MANIFEST_BYTES, lambda found: len(found.content) + 1024)


@attrs.define(eq=False)
class Caches:
    """The caches of one local registry."""

    descriptors: RepositoryCache[Descriptor]
    manifests: RepositoryCache[Manifest] = attrs.field(factory=_manifests)

    def drop_everywhere(self, digest: Digest) -> None:
        """Forget a digest in every repository."""
        self.descriptors.drop_everywhere(digest)
        self.manifests.drop_everywhere(digest)
