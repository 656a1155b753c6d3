"""Long loops that let others have their turn of the reactor."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from typing import TypeVar

import attrs
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

T = TypeVar("T")


@attrs.define(eq=False)
class Turns:
    """Counts the steps of a loop in the reactor thread.

    :ivar every: so many steps belong to one turn; together they should take no more
        than some milliseconds.
    """

    _clock: IReactorTime
    _every: int = 64
    _steps: int = 0

    async def take(self) -> None:
        """Go on at once, or in the next turn of the reactor when this one is used up.

        May be cancelled while it waits.
        """
        self._steps += 1
        if self._steps % self._every == 0:
            await deferLater(self._clock, 0)

    async def over(self, items: AsyncIterable[T]) -> AsyncIterator[T]:
        """Visit what is found, a step each."""
        async for item in items:
            await self.take()
            yield item
