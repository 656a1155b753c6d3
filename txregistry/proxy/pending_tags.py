"""Tags whose manifest is not stored yet.

A tag is linked on disk only when its manifest is stored: in an outage, an older stored
manifest is worth more than the digest of a missing one.
"""

from __future__ import annotations

import attrs

from txregistry.flow.lru import Lru
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName, Tag

#: Tags that are remembered; each forgotten one costs one more request.
MAX_PENDING = 10_000


@attrs.define(eq=False)
class PendingTags:
    """Tags of all repositories whose manifest is not stored yet."""

    _tags: Lru[tuple[RepositoryName, Tag], Digest] = attrs.field(
        factory=lambda: Lru(MAX_PENDING)
    )

    def add(self, name: RepositoryName, tag: Tag, digest: Digest) -> None:
        """Remember the digest of a tag's manifest."""
        self._tags.put((name, tag), digest)

    def discard(self, name: RepositoryName, tag: Tag) -> None:
        """Forget a tag that was moved or deleted."""
        self._tags.pop((name, tag))

    def pop(self, name: RepositoryName, digest: Digest) -> list[Tag]:
        """Return the tags of a manifest, and forget them."""
        found = [
            key
            for key, wanted in self._tags.items()
            if key[0] == name and wanted == digest
        ]
        for key in found:
            self._tags.pop(key)
        return [tag for _, tag in found]
