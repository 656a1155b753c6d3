"""What sizes blobs have by the word of an upstream."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

import attrs

from txregistry.flow.lru import Lru
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName

#: Blobs of which it is remembered.
MAX_SIZES = 10_000

#: Sizes that are taken from one manifest; images have 127 layers at most.
_MOST_OF_ONE = 256


@attrs.define(eq=False)
class ToldSizes:
    """Sizes that an upstream has told by HEAD, or in a manifest, and not proved.

    An answer of another length is refused before its first byte is passed on: it is
    about something else. The word counts once, so that an upstream that told a wrong
    size is believed by what it sends the next time.
    """

    _sizes: Lru[tuple[RepositoryName, Digest], int] = attrs.field(
        factory=lambda: Lru(MAX_SIZES)
    )

    def remember(self, name: RepositoryName, told: Iterable[Descriptor]) -> None:
        """Remember the sizes that are told; what was told longest ago is forgotten."""
        for descriptor in islice(told, _MOST_OF_ONE):
            if descriptor.size:
                self._sizes.put((name, descriptor.digest), descriptor.size)

    def take(self, name: RepositoryName, digest: Digest) -> int | None:
        """Give the size of a blob, if it is known, and forget it."""
        return self._sizes.pop((name, digest))
