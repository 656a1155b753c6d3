"""Tags that stand for a manifest which is not stored yet.

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
    """The tags of all repositories that wait for their manifest."""

    _waiting: Lru[tuple[RepositoryName, Tag], Digest] = attrs.field(
        factory=lambda: Lru(MAX_PENDING)
    )

    def wait(self, name: RepositoryName, tag: Tag, digest: Digest) -> None:
        """Remember the manifest that a tag will stand for."""
        self._waiting.put((name, tag), digest)

    def settle(self, name: RepositoryName, tag: Tag) -> None:
        """Forget a tag that was moved or deleted."""
        self._waiting.pop((name, tag))

    def take(self, name: RepositoryName, digest: Digest) -> list[Tag]:
        """Give the tags that wait for a manifest, and forget them."""
        found = [
            key
            for key, wanted in self._waiting.items()
            if key[0] == name and wanted == digest
        ]
        for key in found:
            self._waiting.pop(key)
        return [tag for _, tag in found]
