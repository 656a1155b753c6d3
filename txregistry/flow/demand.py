"""Whether somebody waits for a piece of work, which may change meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar, copy_context
from functools import wraps
from typing import ParamSpec, TypeVar

import attrs

P = ParamSpec("P")
T = TypeVar("T")


@attrs.define(eq=False)
class Demand:
    """Counts those who wait for one piece of work.

    Queues let work that somebody waits for go before work that nobody waits for.
    """

    _waiting: int = 0
    _watchers: dict[object, Callable[[], None]] = attrs.field(factory=dict)

    @property
    def is_awaited(self) -> bool:
        """Whether somebody waits."""
        return self._waiting > 0

    def join(self) -> None:
        """Begin to wait."""
        self._waiting += 1
        if self._waiting == 1:
            for tell in list(self._watchers.values()):
                tell()

    def leave(self) -> None:
        """Wait no longer."""
        self._waiting -= 1

    def watch(self, tell: Callable[[], None]) -> Callable[[], None]:
        """Have a function called whenever the first one begins to wait.

        :return: ends that.
        """
        key = object()
        self._watchers[key] = tell

        def unwatch() -> None:
            self._watchers.pop(key, None)

        return unwatch


#: Of work for somebody who waits until it ends, and of work for nobody.
SOMEBODY = Demand(1)
NOBODY = Demand(0)

#: Who waits for the current work.
current_demand: ContextVar[Demand] = ContextVar("txregistry_demand", default=SOMEBODY)


def unawaited(function: Callable[P, T]) -> Callable[P, T]:
    """Decorate a function whose work nobody waits for, whoever calls it."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        context = copy_context()
        context.run(current_demand.set, NOBODY)
        return context.run(function, *args, **kwargs)

    return call
