"""The sizes of blobs as claimed by an upstream."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

import attrs

from txregistry.flow.lru import Lru
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName

#: Blobs whose size is remembered.
MAX_SIZES = 10_000

#: Sizes taken from one manifest; images have 127 layers at most.
_MAX_PER_MANIFEST = 256


@attrs.define(eq=False)
class ClaimedSizes:
    """Sizes that an upstream has claimed by HEAD, or in a manifest, unverified.

    An answer of another length is refused before its first byte is passed on: it is not
    this blob. Each claim is used once, so that after a wrong claim the next download is
    accepted.
    """

    _sizes: Lru[tuple[RepositoryName, Digest], int] = attrs.field(
        factory=lambda: Lru(MAX_SIZES)
    )

    def remember(self, name: RepositoryName, claimed: Iterable[Descriptor]) -> None:
        """Remember claimed sizes; the oldest are forgotten."""
        for descriptor in islice(claimed, _MAX_PER_MANIFEST):
            if descriptor.size:
                self._sizes.put((name, descriptor.digest), descriptor.size)

    def take(self, name: RepositoryName, digest: Digest) -> int | None:
        """Return the size of a blob, if known, and forget it."""
        return self._sizes.pop((name, digest))
