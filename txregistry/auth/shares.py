"""A bounded queue for slow work, fair to peers and users.

Note [Fair shares]. The next task is the one that waits longest, where the wait counts
from the last start of a task of the same peer or the same user. So a task whose address
and user name were not served lately runs before everything queued by a busy address, or
for a name that many try to guess. When the queue is full, the newest task of the peer
with the most waiting tasks is refused; among such peers, that of the user with the
most. So nobody can lock others out, while a single address, such as a proxy with many
clients, may use all capacity that nobody else needs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Generic, TypeVar

import attrs
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from txregistry.spec.errors import TooManyRequests
from txregistry.spec.peers import client_key

T = TypeVar("T")

#: Seconds in the ``Retry-After`` of a refusal.
RETRY_SECONDS = 1.0


@attrs.frozen(eq=False)
class _Waiting(Generic[T]):
    """A task that was not started yet.

    :ivar sequence: its number in the sequence of all arrivals and starts.
    :ivar peer: the key of its peer (:func:`txregistry.spec.peers.client_key`).
    """

    sequence: int
    peer: str
    user: str
    start: Callable[[], Deferred[T]]
    done: Deferred[T]


@attrs.define(eq=False)
class Shares(Generic[T]):
    """Runs and queues a limited number of tasks, and refuses the rest.

    See Note [Fair shares]. A waiting task that is cancelled leaves the queue. A running
    task counts until it ends, even if it is cancelled: its thread does not stop.

    :param max_running: maximum number of running tasks.
    :param max_waiting: maximum number of waiting tasks.
    """

    _max_running: int
    _max_waiting: int
    _running: int = 0
    _ticks: int = 0
    _waiting: list[_Waiting[T]] = attrs.field(factory=list)
    _peer_started: dict[str, int] = attrs.field(factory=dict)
    _user_started: dict[str, int] = attrs.field(factory=dict)

    def run(
        self, peer: str, user: str, start: Callable[[], Deferred[T]]
    ) -> Deferred[T]:
        """Run a task when its turn comes.

        :param peer: the client's address.
        :param user: the user name that it claims.
        :param start: starts the task.
        :return: fires and fails as the task does; fails with ``TooManyRequests`` if
            the queue is full and this task is the one to be refused.
        """
        done: Deferred[T] = Deferred(self._remove)
        waiting = _Waiting(self._tick(), client_key(peer), user, start, done)
        self._waiting.append(waiting)
        self._start_next()
        if len(self._waiting) > self._max_waiting:
            self._refuse(self._heaviest())
        return done

    def _tick(self) -> int:
        self._ticks += 1
        return self._ticks

    def _start_next(self) -> None:
        while self._waiting and self._running < self._max_running:
            item = min(self._waiting, key=self._priority)
            self._waiting.remove(item)
            self._record_start(item)
            self._running += 1
            item.start().addBoth(self._ended, item.done)

    def _priority(self, item: _Waiting[T]) -> tuple[int, int, int, int]:
        peer = self._peer_started.get(item.peer, 0)
        user = self._user_started.get(item.user, 0)
        return max(item.sequence, peer, user), peer, user, item.sequence

    def _record_start(self, started: _Waiting[T]) -> None:
        """Record a start, and forget peers and users that have no waiting task."""
        relevant = [*self._waiting, started]
        peers, users = self._peer_started, self._user_started
        self._peer_started = {item.peer: peers.get(item.peer, 0) for item in relevant}
        self._user_started = {item.user: users.get(item.user, 0) for item in relevant}
        now = self._tick()
        self._peer_started[started.peer] = self._user_started[started.user] = now

    def _heaviest(self) -> _Waiting[T]:
        peers = Counter(item.peer for item in self._waiting)
        users = Counter(item.user for item in self._waiting)

        def weight(item: _Waiting[T]) -> tuple[int, int, int]:
            return peers[item.peer], users[item.user], item.sequence

        return max(self._waiting, key=weight)

    def _refuse(self, item: _Waiting[T]) -> None:
        self._waiting.remove(item)
        reason = {"reason": "too many passwords to check"}
        item.done.errback(TooManyRequests(reason, RETRY_SECONDS))

    def _ended(self, result: T | Failure, done: Deferred[T]) -> None:
        self._running -= 1
        if not done.called:
            done.callback(result)  # a Failure makes it fail
        self._start_next()

    def _remove(self, done: Deferred[T]) -> None:
        self._waiting = [item for item in self._waiting if item.done is not done]
