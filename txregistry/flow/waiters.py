"""Several Deferreds that wait for one event."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import attrs
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

T = TypeVar("T")


@attrs.define(eq=False)
class Waiters(Generic[T]):
    """The Deferreds that wait for the next event, in order of arrival.

    Each may be cancelled at any time, also from a callback of another one while the
    event fires.
    """

    _waiting: dict[Deferred[T], None] = attrs.field(factory=dict)

    def __len__(self) -> int:
        return len(self._waiting)

    def wait(self, on_cancel: Callable[[], object] | None = None) -> Deferred[T]:
        """Wait for the next event.

        :param on_cancel: called when the Deferred is cancelled before the event.
        :return: fires with the value, or fails with the Failure, given to :meth:`fire`.
        """

        def leave(waiter: Deferred[T]) -> None:
            self._waiting.pop(waiter, None)
            if on_cancel is not None:
                on_cancel()

        waiter: Deferred[T] = Deferred(leave)
        self._waiting[waiter] = None
        return waiter

    def fire(self, result: T | Failure) -> None:
        """Fire all waiting Deferreds; a Failure makes them fail.

        A Deferred that is added meanwhile waits for the next event.
        """
        waiting, self._waiting = self._waiting, {}
        for waiter in waiting:
            if not waiter.called:  # a callback of an earlier one may have cancelled it
                waiter.callback(result)
