"""Long loops in the reactor thread that yield to other work."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from typing import TypeVar

import attrs
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

T = TypeVar("T")


@attrs.define(eq=False)
class Turns:
    """Counts the steps of a loop, and yields to the reactor now and then.

    :ivar every: steps per reactor turn; together they should take a few milliseconds
        at most.
    """

    _clock: IReactorTime
    _every: int = 64
    _steps: int = 0

    async def take(self) -> None:
        """Count a step; after every so many, wait for the next reactor turn.

        It may be cancelled while it waits.
        """
        self._steps += 1
        if self._steps % self._every == 0:
            await deferLater(self._clock, 0)

    async def over(self, items: AsyncIterable[T]) -> AsyncIterator[T]:
        """Yield each item, counting a step for it."""
        async for item in items:
            await self.take()
            yield item
