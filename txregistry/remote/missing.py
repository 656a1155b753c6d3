"""What an upstream has lately said it does not have (``proxy.negativettl``).

Clients look in several places, and again and again: for tags that do not exist yet, for
signatures, for blobs that they are about to push elsewhere. Each question costs a round
trip, and at some upstreams a part of what may be asked.
"""

from __future__ import annotations

import attrs
from twisted.internet.interfaces import IReactorTime

from txregistry.flow.sized import SizedCache, size_of

#: Bytes of memory for all paths; the one that was remembered first is evicted first.
MAX_BYTES = 2 * 1024 * 1024

#: Only answers about these are remembered. A 404 for others may mean that the upstream
#: does not have the API.
_KINDS = ("/manifests/", "/blobs/", "/tags/list")


@attrs.define(eq=False)
class MissingPaths:
    """Paths that were answered by 404 a short time ago.

    :param seconds: for which such an answer counts; 0 for not at all.
    """

    _seconds: float
    _clock: IReactorTime
    _until: SizedCache[str, float] = attrs.field(factory=lambda: SizedCache(MAX_BYTES))

    def remember(self, method: str, path: str) -> None:
        """Remember that a request was answered by 404.

        Some upstreams answer any HEAD so; GET decides.
        """
        if self._seconds and method == "GET" and any(kind in path for kind in _KINDS):
            until = self._clock.seconds() + self._seconds
            self._until.put(path, until, size_of(path))

    def has(self, path: str) -> bool:
        """Return whether a path was missing a short time ago."""
        until = self._until.get(path)
        if until is None:
            return False
        # A clock that is set back prolongs nothing.
        if 0 < until - self._clock.seconds() <= self._seconds:
            return True
        self._until.pop(path)
        return False

    def forget(self, path: str) -> None:
        """Have a path asked for anew."""
        self._until.pop(path)

    def __len__(self) -> int:
        return len(self._until)
