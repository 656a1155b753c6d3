"""Tags that stand for a manifest which is not stored yet.

A tag is linked on disk only when what it stands for is there: in an outage, the
older manifest that is stored is worth more than the name of one that is not.
"""

from __future__ import annotations

import attrs

from txregistry.flow.lru import Lru
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName, Tag

#: Tags that are remembered; the oldest are forgotten and cost one more question.
MAX_PENDING = 10_000


@attrs.define(eq=False)
class PendingTags:
    """The tags of all repositories that wait for their manifest."""

    _waiting: Lru[tuple[RepositoryName, Tag], Digest] = attrs.field(
        factory=lambda: Lru(MAX_PENDING)
    )

    def wait(self, name: RepositoryName, tag: Tag, digest: Digest) -> None:
        """Remember what a tag is to stand for."""
        self._waiting.put((name, tag), digest)

    def settle(self, name: RepositoryName, tag: Tag) -> None:
        """Forget a tag: it stands for something else by now, or for nothing."""
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
