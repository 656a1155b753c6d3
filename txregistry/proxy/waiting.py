"""Waiters for a download to begin: clients take turns, and their repositories."""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred

from txregistry.flow.fairqueue import NestedQueue
from txregistry.flow.waiters import Waiters
from txregistry.spec.digest import Digest
from txregistry.spec.errors import UpstreamUnavailable

#: Most clients that may wait.
MAX_WAITING = 10_000

#: Seconds after which a client may retry if too many wait.
_RETRY_AFTER_SECONDS = 5.0


@attrs.define(eq=False)
class WaitingBlobs:
    """Blobs whose downloads cannot begin yet.

    Each client has its own queue, and in it each repository: the many blobs of one keep
    no other waiting.
    """

    _queue: NestedQueue[Digest] = attrs.field(factory=NestedQueue)
    _waiters: dict[Digest, Waiters[None]] = attrs.field(factory=dict)
    _count: int = 0

    def __bool__(self) -> bool:
        return bool(self._waiters)

    def wait(self, client: str, repository: str, digest: Digest) -> Deferred[None]:
        """Wait for the turn of a blob; requests for the same blob wait together.

        :return: fires when the caller should look again; may be cancelled.
        :raise UpstreamUnavailable: too many wait.
        """
        if self._count >= MAX_WAITING:
            detail = {"reason": "too many requests are waiting"}
            raise UpstreamUnavailable(detail, _RETRY_AFTER_SECONDS)
        if digest not in self._waiters:
            self._waiters[digest] = Waiters()
            self._queue.add(client, repository, digest)
        self._count += 1
        waiters = self._waiters[digest]
        return waiters.wait(lambda: self._leave(digest, waiters))

    def wake_next(self) -> None:
        """Wake all waiters of the next blob; there must be one."""
        waiters = self._waiters.pop(self._queue.pop())
        self._count -= len(waiters)
        waiters.fire(None)

    def _leave(self, digest: Digest, waiters: Waiters[None]) -> None:
        if self._waiters.get(digest) is not waiters:
            return  # it is already being woken
        self._count -= 1
        if not waiters:
            del self._waiters[digest]
            self._queue.remove(digest)
