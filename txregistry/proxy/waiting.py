"""Who waits for a download to begin: repositories take turns."""

from __future__ import annotations

from collections import OrderedDict

import attrs
from twisted.internet.defer import Deferred

from txregistry.flow.waiters import Waiters
from txregistry.spec.digest import Digest
from txregistry.spec.errors import UpstreamUnavailable
from txregistry.spec.reference import RepositoryName

#: Clients that wait at most.
MAX_WAITING = 10_000

#: Seconds after which one that finds no room to wait may ask again.
_LATER_SECONDS = 5.0


@attrs.define(eq=False)
class _Wanted:
    """One blob: in whose queue it stands, and who waits for it."""

    name: RepositoryName
    waiters: Waiters[None] = attrs.field(factory=Waiters)


@attrs.define(eq=False)
class WaitingBlobs:
    """The blobs whose downloads cannot begin yet.

    Each repository has its own queue, and the next download is of the one that has
    waited longest for its turn: many blobs of one do not keep all others waiting.
    """

    _queues: OrderedDict[RepositoryName, dict[Digest, None]] = attrs.field(
        factory=OrderedDict
    )
    _wanted: dict[Digest, _Wanted] = attrs.field(factory=dict)
    _count: int = 0

    def __bool__(self) -> bool:
        return bool(self._wanted)

    def wait(self, name: RepositoryName, digest: Digest) -> Deferred[None]:
        """Wait for the turn of a blob; who wants the same one waits with the first.

        :return: fires when it is time to look again; may be cancelled.
        :raise UpstreamUnavailable: too many wait.
        """
        if self._count >= MAX_WAITING:
            raise UpstreamUnavailable({"reason": "too many wait"}, _LATER_SECONDS)
        if digest not in self._wanted:
            self._wanted[digest] = _Wanted(name)
            self._queues.setdefault(name, {})[digest] = None
        wanted = self._wanted[digest]
        self._count += 1
        return wanted.waiters.wait(lambda: self._leave(digest, wanted))

    def wake_next(self) -> None:
        """Have those look again who wait for the next blob; there must be some."""
        name, queue = next(iter(self._queues.items()))
        wanted = self._remove(next(iter(queue)))
        if queue:
            self._queues.move_to_end(name)
        self._count -= len(wanted.waiters)
        wanted.waiters.fire(None)

    def _leave(self, digest: Digest, wanted: _Wanted) -> None:
        if self._wanted.get(digest) is not wanted:
            return  # it is being woken
        self._count -= 1
        if not wanted.waiters:
            self._remove(digest)

    def _remove(self, digest: Digest) -> _Wanted:
        wanted = self._wanted.pop(digest)
        queue = self._queues[wanted.name]
        del queue[digest]
        if not queue:
            del self._queues[wanted.name]
        return wanted
