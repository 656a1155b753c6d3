"""Which downloads of an upstream may run at once, and which is next."""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred

from txregistry.proxy.fill import Fill
from txregistry.proxy.waiting import WaitingBlobs
from txregistry.spec.digest import Digest

#: Concurrent downloads.
MAX_FILLS = 32

#: Connections of an upstream.
CONNECTIONS = 16


@attrs.define(eq=False)
class DownloadTurns:
    """Gives downloads their turns.

    Those that nobody waits for begin when no client's download waits, and use at most
    half of the connections.

    :param connections: that the upstream takes; one of several is kept for manifests.
    :ivar running: what is under way.
    """

    _max_fills: int = MAX_FILLS
    _connections: int = CONNECTIONS
    running: dict[Digest, Fill] = attrs.field(factory=dict)
    _queue: WaitingBlobs = attrs.field(factory=WaitingBlobs)
    _promised: set[Digest] = attrs.field(factory=set)

    def __bool__(self) -> bool:
        return bool(self.running or self._promised or self._queue)

    def __contains__(self, digest: Digest) -> bool:
        return digest in self._queue

    def limit(self, max_fills: int, connections: int) -> None:
        """Change the limits; waiting downloads start if there is room."""
        self._max_fills, self._connections = max_fills, connections
        self.wake_waiting()

    def wait(
        self, client: str, repository: str, digest: Digest, is_awaited: bool
    ) -> Deferred[None]:
        """Wait for the turn of a blob; see :meth:`WaitingBlobs.wait`.

        Whoever has waited calls :meth:`come` in any case.
        """
        return self._queue.wait(client, repository, digest, is_awaited)

    def come(self, digest: Digest) -> None:
        """Note that who waited for a blob is back: its place is kept no longer."""
        self._promised.discard(digest)

    def wake(self, digest: Digest) -> None:
        """Wake all who wait for a blob: its download has begun."""
        self._queue.wake(digest)

    def wake_waiting(self) -> None:
        """Wake those next in turn for whom there is room.

        A woken waiter begins as soon as it is back, or has left.
        """
        while self._queue and self.has_room(self._queue.is_awaited):
            self._queue.wake_next(self._promised.add)

    def has_room(self, is_awaited: bool) -> bool:
        """Return whether a download may begin.

        :param is_awaited: whether a client waits for it.
        """
        taken = len(self.running) + len(self._promised)
        if taken >= self._max_fills:
            return False
        if is_awaited:
            return True
        if self._queue.is_awaited or taken >= self._for_blobs:
            return False
        ahead = sum(fill.is_unwatched for fill in self.running.values())
        return ahead < max(1, self._for_blobs // 2)

    def find_unwatched(self) -> Fill | None:
        """Return a download that nobody waits for, which may give its place away."""
        for fill in self.running.values():
            if fill.is_unwatched and not fill.has_failed:
                return fill
        return None

    def are_too_many(self) -> bool:
        """Return whether more are under way than there are connections for."""
        return len(self.running) > self._for_blobs

    @property
    def _for_blobs(self) -> int:
        return max(1, self._connections - 1)
