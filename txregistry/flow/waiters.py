"""Everybody who waits for one event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import attrs
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

T = TypeVar("T")


@attrs.define(eq=False)
class Waiters(Generic[T]):
    """Those who wait now, in the order in which they came.

    Each may leave at any time, also while the others are being told, and may have
    others leave.
    """

    _waiting: dict[Deferred[T], None] = attrs.field(factory=dict)

    def __len__(self) -> int:
        return len(self._waiting)

    def wait(self, left: Callable[[], object] | None = None) -> Deferred[T]:
        """Wait for the event.

        :param left: is called when the Deferred is cancelled before the event.
        :return: fires and fails with what :meth:`fire` is given.
        """

        def leave(waiter: Deferred[T]) -> None:
            self._waiting.pop(waiter, None)
            if left is not None:
                left()

        waiter: Deferred[T] = Deferred(leave)
        self._waiting[waiter] = None
        return waiter

    def fire(self, result: T | Failure) -> None:
        """Tell all who wait; a Failure makes them fail.

        Who begins to wait meanwhile waits for the next event.
        """
        waiting, self._waiting = self._waiting, {}
        for waiter in waiting:
            if not waiter.called:  # one that was told before may have cancelled it
                waiter.callback(result)
