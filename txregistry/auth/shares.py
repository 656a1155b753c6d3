"""Slow work of which each peer and each user has a share.

Note [Whoever has the most gives way]. Next comes whoever waits longest, where a wait
counts from when work for the same peer or the same user last began. So somebody whose
address and name had no turn lately comes before all that a busy address or a name that
many try has waiting. When no more may wait, the newest of the peer with the most is
refused; of equal peers, that of the user with the most. So nobody keeps others out, and
a single address may use all the room that nobody else wants, as a proxy with many
clients behind it does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Generic, TypeVar

import attrs
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from txregistry.spec.errors import TooManyRequests
from txregistry.spec.peers import share_of

T = TypeVar("T")

#: Seconds after which whoever was refused may try again.
RETRY_SECONDS = 1.0


@attrs.frozen(eq=False)
class _Waiting(Generic[T]):
    """One piece of work that has not begun.

    :ivar came: its place in the order of all that has come or begun.
    """

    came: int
    peer: str
    user: str
    begin: Callable[[], Deferred[T]]
    done: Deferred[T]


@attrs.define(eq=False)
class Shares(Generic[T]):
    """Does so much at once, and lets so much wait; the rest is refused.

    See Note [Whoever has the most gives way]. Waiting work that is cancelled is
    forgotten. Work that has begun keeps its place to its end, whoever waits for it: a
    thread does not stop because a client has left.
    """

    _at_once: int
    _room: int
    _running: int = 0
    _ticks: int = 0
    _waiting: list[_Waiting[T]] = attrs.field(factory=list)
    _peer_began: dict[str, int] = attrs.field(factory=dict)
    _user_began: dict[str, int] = attrs.field(factory=dict)

    def run(
        self, peer: str, user: str, begin: Callable[[], Deferred[T]]
    ) -> Deferred[T]:
        """Do something when its turn has come.

        :param begin: starts the work.
        :return: fires and fails as the work does; fails with ``TooManyRequests`` if
            it has to give way.
        """
        done: Deferred[T] = Deferred(self._leave)
        waiting = _Waiting(self._tick(), share_of(peer), user, begin, done)
        self._waiting.append(waiting)
        self._go_on()
        if len(self._waiting) > self._room:
            self._refuse(self._heaviest())
        return done

    def _tick(self) -> int:
        self._ticks += 1
        return self._ticks

    def _go_on(self) -> None:
        while self._waiting and self._running < self._at_once:
            item = min(self._waiting, key=self._turn)
            self._waiting.remove(item)
            self._note(item)
            self._running += 1
            item.begin().addBoth(self._ended, item.done)

    def _turn(self, item: _Waiting[T]) -> tuple[int, int, int, int]:
        peer = self._peer_began.get(item.peer, 0)
        user = self._user_began.get(item.user, 0)
        return max(item.came, peer, user), peer, user, item.came

    def _note(self, begun: _Waiting[T]) -> None:
        """Remember who has had a turn, of those to whom it makes a difference."""
        kept = [*self._waiting, begun]
        peers, users = self._peer_began, self._user_began
        self._peer_began = {item.peer: peers.get(item.peer, 0) for item in kept}
        self._user_began = {item.user: users.get(item.user, 0) for item in kept}
        self._peer_began[begun.peer] = self._user_began[begun.user] = self._tick()

    def _heaviest(self) -> _Waiting[T]:
        peers = Counter(item.peer for item in self._waiting)
        users = Counter(item.user for item in self._waiting)
        return max(self._waiting, key=lambda i: (peers[i.peer], users[i.user], i.came))

    def _refuse(self, item: _Waiting[T]) -> None:
        self._waiting.remove(item)
        reason = {"reason": "too many passwords to check"}
        item.done.errback(TooManyRequests(reason, RETRY_SECONDS))

    def _ended(self, result: T | Failure, done: Deferred[T]) -> None:
        self._running -= 1
        if not done.called:
            done.callback(result)  # a Failure makes it fail
        self._go_on()

    def _leave(self, done: Deferred[T]) -> None:
        self._waiting = [item for item in self._waiting if item.done is not done]
