"""Single flight: one piece of work, shared by everybody who asks for it meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import attrs
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from txregistry.flow.waiters import Waiters

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


@attrs.define(eq=False)
class _Flight(Generic[T]):
    """One piece of work and everybody who waits for it."""

    waiters: Waiters[T] = attrs.field(factory=Waiters)
    work: Deferred[T] | None = None


@attrs.define(eq=False)
class Flights(Generic[K, T]):
    """Single flight: one piece of work per key, one Deferred per waiter.

    A waiter that is cancelled harms nobody; when the last one leaves, the work
    itself is cancelled.
    """

    _flights: dict[K, _Flight[T]] = attrs.field(factory=dict)

    def is_under_way(self, key: K) -> bool:
        """Tell whether joining would share work that has begun."""
        return key in self._flights

    def __len__(self) -> int:
        return len(self._flights)

    def join(self, key: K, start: Callable[[], Deferred[T]]) -> Deferred[T]:
        """Wait for the work of this key, starting it if nobody has.

        :return: fires with the work's result, or fails as it does.
        """
        flight = self._flights.get(key)
        begin = flight is None
        if flight is None:
            flight = self._flights[key] = _Flight()
        waiter = flight.waiters.wait(lambda: self._leave(key, flight))
        if begin:
            flight.work = start()
            flight.work.addBoth(lambda result: self._land(key, flight, result))
        return waiter

    def _leave(self, key: K, flight: _Flight[T]) -> None:
        if not flight.waiters and self._flights.get(key) is flight:
            del self._flights[key]
            if flight.work is not None:
                flight.work.cancel()

    def _land(self, key: K, flight: _Flight[T], result: T | Failure) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]
        flight.waiters.fire(result)
