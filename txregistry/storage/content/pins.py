"""Content that a collection must spare although nothing refers to it: it is in use.

Note [Pins]. A collection decides from what it has read of the tree, and the tree
changes meanwhile. Code that links content, or accepts a manifest that refers to some,
pins it first and only then checks that it exists, holding its lock. The collection asks
for pins while it holds the same lock, just before it deletes. So either the pin is
seen, or the content is found missing and its client is told to send it again.
"""

from __future__ import annotations

import attrs
from twisted.internet.interfaces import IReactorTime

from txregistry.flow.lru import Lru
from txregistry.spec.digest import Digest

#: Digests whose last use is remembered; the rest count as unused.
MAX_REMEMBERED = 100_000


@attrs.define(eq=False)
class Pins:
    """Remembers used content, and during a collection pinned content."""

    _clock: IReactorTime
    _used: Lru[Digest, float] = attrs.field(factory=lambda: Lru(MAX_REMEMBERED))
    _pinned: set[Digest] | None = None

    def use(self, digest: Digest) -> None:
        """Record that content was looked up, perhaps to be referred to soon."""
        self._used.put(digest, self._clock.seconds())

    def pin(self, *digests: Digest) -> None:
        """Spare content from the collection under way, if there is one."""
        if self._pinned is not None:
            self._pinned.update(digests)

    def begin(self) -> None:
        """Pin from now on; one collection at a time."""
        self._pinned = set()

    def end(self) -> None:
        """Forget the pins: the next collection reads the tree anew."""
        self._pinned = None

    def spares(self, digest: Digest, since: float) -> bool:
        """Tell whether content was pinned, or used after a time."""
        pinned = self._pinned is not None and digest in self._pinned
        return pinned or (self._used.peek(digest) or 0.0) >= since
