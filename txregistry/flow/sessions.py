"""One holder per key, of whom a newcomer takes over."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import attrs
from twisted.internet.defer import DeferredLock

from txregistry.flow.deferred import deferred

K = TypeVar("K", bound=Hashable)


@attrs.define(eq=False)
class Session:
    """The right to work on something, until :meth:`leave`.

    :ivar asked_to_leave: somebody else waits.
    """

    _release: Callable[[], None]
    _hurry: Callable[[], None] | None = None
    asked_to_leave: bool = False

    def on_takeover(self, hurry: Callable[[], None]) -> None:
        """Say what is to be done when somebody else waits, perhaps at once."""
        self._hurry = hurry
        if self.asked_to_leave:
            hurry()

    def ask_to_leave(self) -> None:
        """Tell the holder that somebody waits."""
        first, self.asked_to_leave = not self.asked_to_leave, True
        if first and self._hurry is not None:
            self._hurry()

    def leave(self) -> None:
        """Let the next one in; further calls do nothing."""
        release, self._release, self._hurry = self._release, _nothing, None
        release()


def _nothing() -> None:
    """Stand for a release that was used up."""


@attrs.define(eq=False)
class Sessions(Generic[K]):
    """Who works on what. The newest request is the one whose client is there: a
    connection that broke may look alive to us for a long time.
    """

    _locks: dict[K, DeferredLock] = attrs.field(factory=dict)
    _holders: dict[K, Session] = attrs.field(factory=dict)

    def is_held(self, key: K) -> bool:
        """Tell whether somebody would be asked to leave."""
        return key in self._holders

    @deferred
    async def enter(self, key: K) -> Session:
        """Fire with a session once whoever holds the key has left.

        Cancelled while waiting, it never holds it.
        """
        lock = self._locks.setdefault(key, DeferredLock())
        holder = self._holders.get(key)
        if holder is not None:
            holder.ask_to_leave()
        await lock.acquire()
        session = Session(lambda: self._released(key, lock))
        self._holders[key] = session
        if lock.waiting:
            session.ask_to_leave()
        return session

    def _released(self, key: K, lock: DeferredLock) -> None:
        del self._holders[key]
        lock.release()
        if not lock.locked and self._locks.get(key) is lock:
            del self._locks[key]

    def __len__(self) -> int:
        return len(self._locks)
