"""Exclusive sessions per key that a newer request takes over."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import attrs
from twisted.internet.defer import DeferredLock

from txregistry.flow.deferred import deferred

K = TypeVar("K", bound=Hashable)


@attrs.define(eq=False)
class Session:
    """The exclusive right to a key, until :meth:`leave`.

    :ivar asked_to_leave: another request waits for the key.
    """

    _release: Callable[[], None]
    _hurry: Callable[[], None] | None = None
    asked_to_leave: bool = False

    def on_takeover(self, hurry: Callable[[], None]) -> None:
        """Set what to call when another request waits; called now if one does."""
        self._hurry = hurry
        if self.asked_to_leave:
            hurry()

    def ask_to_leave(self) -> None:
        """Tell the holder that another request waits; further calls do nothing."""
        first, self.asked_to_leave = not self.asked_to_leave, True
        if first and self._hurry is not None:
            self._hurry()

    def leave(self) -> None:
        """Release the key for the next request; further calls do nothing."""
        release, self._release, self._hurry = self._release, _nothing, None
        release()


def _nothing() -> None:
    """Replace a release that was called."""


@attrs.define(eq=False)
class Sessions(Generic[K]):
    """The sessions of all keys, at most one holder each.

    The newest request takes over because its client is there: a broken connection may
    look alive to us for a long time.
    """

    _locks: dict[K, DeferredLock] = attrs.field(factory=dict)
    _holders: dict[K, Session] = attrs.field(factory=dict)

    def is_held(self, key: K) -> bool:
        """Return whether a key has a holder."""
        return key in self._holders

    @deferred
    async def enter(self, key: K) -> Session:
        """Ask the current holder to leave, and wait for the key.

        :return: fires with a session once the key is free. Cancelling stops waiting.
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
