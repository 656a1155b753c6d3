"""Waiters for a download to begin: clients take turns, and their repositories."""

from __future__ import annotations

from collections.abc import Callable

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


def _keep_nothing(_: Digest) -> None:
    """Keep no place for a blob."""


@attrs.define(eq=False)
class WaitingBlobs:
    """Blobs whose downloads cannot begin yet.

    Each client has its own queue, and in it each repository: the many blobs of one keep
    no other waiting. Blobs that a client waits for come before those of nobody.
    """

    _awaited: NestedQueue[Digest] = attrs.field(factory=NestedQueue)
    _others: NestedQueue[Digest] = attrs.field(factory=NestedQueue)
    _waiters: dict[Digest, Waiters[None]] = attrs.field(factory=dict)
    _count: int = 0

    def __bool__(self) -> bool:
        return bool(self._waiters)

    def __contains__(self, digest: Digest) -> bool:
        return digest in self._waiters

    @property
    def is_awaited(self) -> bool:
        """Whether a client waits for the next blob."""
        return bool(self._awaited)

    def wait(
        self, client: str, repository: str, digest: Digest, is_awaited: bool = True
    ) -> Deferred[None]:
        """Wait for the turn of a blob; requests for the same blob wait together.

        :param is_awaited: whether a client waits for it.
        :return: fires when the caller should look again; may be cancelled.
        :raise UpstreamUnavailable: too many wait.
        """
        if self._count >= MAX_WAITING:
            detail = {"reason": "too many requests are waiting"}
            raise UpstreamUnavailable(detail, _RETRY_AFTER_SECONDS)
        if is_awaited and digest in self._others:
            self._others.remove(digest)
        if digest not in self._awaited and digest not in self._others:
            queue = self._awaited if is_awaited else self._others
            queue.add(client, repository, digest)
        self._count += 1
        waiters = self._waiters.setdefault(digest, Waiters())
        return waiters.wait(lambda: self._leave(digest, waiters))

    def wake_next(self, promise: Callable[[Digest], None] = _keep_nothing) -> None:
        """Wake all waiters of the next blob; there must be one.

        :param promise: called with the blob first.
        """
        digest = (self._awaited or self._others).pop()
        promise(digest)
        self._wake(digest)

    def wake(self, digest: Digest) -> None:
        """Wake all waiters of a blob, if there are any: its download has begun."""
        if digest in self._waiters:
            self._remove(digest)
            self._wake(digest)

    def _wake(self, digest: Digest) -> None:
        waiters = self._waiters.pop(digest)
        self._count -= len(waiters)
        waiters.fire(None)

    def _remove(self, digest: Digest) -> None:
        queue = self._awaited if digest in self._awaited else self._others
        queue.remove(digest)

    def _leave(self, digest: Digest, waiters: Waiters[None]) -> None:
        if self._waiters.get(digest) is not waiters:
            return  # it is already being woken
        self._count -= 1
        if not waiters:
            del self._waiters[digest]
            self._remove(digest)
