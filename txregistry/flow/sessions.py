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
    """The exclusive right to a key, until :meth:`release`.

    :ivar takeover_requested: another request waits for the key.
    """

    _on_release: Callable[[], None]
    _on_takeover: Callable[[], None] | None = None
    takeover_requested: bool = False

    def on_takeover(self, callback: Callable[[], None]) -> None:
        """Set what to call when another request waits; called now if one does."""
        self._on_takeover = callback
        if self.takeover_requested:
            callback()

    def request_takeover(self) -> None:
        """Tell the holder that another request waits; further calls do nothing."""
        first, self.takeover_requested = not self.takeover_requested, True
        if first and self._on_takeover is not None:
            self._on_takeover()

    def release(self) -> None:
        """Release the key for the next request; further calls do nothing."""
        release, self._on_release, self._on_takeover = self._on_release, _nothing, None
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
    async def acquire(self, key: K) -> Session:
        """Ask the current holder to release the key, and wait for it.

        :return: fires with a session once the key is free. Cancelling stops waiting.
        """
        lock = self._locks.setdefault(key, DeferredLock())
        holder = self._holders.get(key)
        if holder is not None:
            holder.request_takeover()
        await lock.acquire()
        session = Session(lambda: self._released(key, lock))
        self._holders[key] = session
        if lock.waiting:
            session.request_takeover()
        return session

    def _released(self, key: K, lock: DeferredLock) -> None:
        del self._holders[key]
        lock.release()
        if not lock.locked and self._locks.get(key) is lock:
            del self._locks[key]

    def __len__(self) -> int:
        return len(self._locks)
