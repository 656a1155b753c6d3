"""A lock for each key."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

import attrs
from twisted.internet.defer import Deferred, DeferredLock, maybeDeferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from txregistry.flow.context import in_context

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


@attrs.define(eq=False)
class KeyedLocks(Generic[K]):
    """A lock per key; locks nobody holds or awaits take no memory.

    Work that has begun goes on to its end, and holds its lock until then, though nobody
    waits for it any more: what a thread has begun to do it does as well.
    """

    _locks: dict[K, DeferredLock] = attrs.field(factory=dict)
    _log = Logger()

    def run(self, key: K, work: Callable[[], Deferred[T]]) -> Deferred[T]:
        """Do work while holding the key's lock.

        :return: fires and fails as the work does. Cancelled while waiting, it
            never begins; after that, cancelling only stops waiting.
        """
        lock = self._locks.setdefault(key, DeferredLock())
        acquiring = lock.acquire()
        waiter: Deferred[T] = Deferred(lambda _: acquiring.cancel())

        bound = in_context(work)

        def begin(_: DeferredLock) -> None:
            maybeDeferred(bound).addBoth(in_context(end))

        def end(result: T | Failure) -> None:
            lock.release()
            settle(result)

        def settle(result: T | Failure) -> None:
            self._tidy(key, lock)
            if not waiter.called:
                waiter.callback(result)
            elif isinstance(result, Failure):
                self._log.failure("what nobody waits for any more has failed", result)

        acquiring.addCallbacks(begin, in_context(settle))
        return waiter

    def run_all(
        self, keys: Sequence[K], work: Callable[[], Deferred[T]]
    ) -> Deferred[T]:
        """Do work while holding the locks of several keys, taken in their order.

        :param keys: each once, and in an order that is the same for everybody.
        """
        if not keys:
            return work()
        return self.run(keys[0], lambda: self.run_all(keys[1:], work))

    def settle(self, key: K) -> Deferred[None]:
        """Wait until nobody holds the key's lock who holds it now."""
        if key not in self._locks:
            return succeed(None)
        return self.run(key, lambda: succeed(None))

    def _tidy(self, key: K, lock: DeferredLock) -> None:
        if not lock.locked and not lock.waiting and self._locks.get(key) is lock:
            del self._locks[key]
