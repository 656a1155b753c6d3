"""Long loops that let others have their turn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow.turns import Turns


class TurnsTests(SynchronousTestCase):
    """When a loop goes on at once, and when later."""

    def setUp(self) -> None:
        self.clock, self.done = Clock(), 0

    def loop(self, steps: int) -> Deferred[None]:
        turns = Turns(self.clock, 10)

        async def work() -> None:
            for _ in range(steps):
                await turns.take()
                self.done += 1

        return Deferred.fromCoroutine(work())

    def test_short(self) -> None:
        """A short loop is one turn."""
        self.successResultOf(self.loop(9))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_long(self) -> None:
        """A long one stops after so many steps, each time."""
        seen: list[int] = []
        later = self.clock.callLater

        def call_later(*args: Any) -> Any:
            seen.append(self.done)
            return later(*args)

        self.patch(self.clock, "callLater", call_later)
        loop = self.loop(35)
        self.clock.advance(0)
        self.successResultOf(loop)
        self.assertEqual((seen, self.done), ([9, 19, 29], 35))

    def test_cancelled(self) -> None:
        """One that is cancelled while it waits leaves nothing with the clock."""
        loop = self.loop(35)
        loop.cancel()
        self.failureResultOf(loop, CancelledError)
        self.assertEqual((self.done, self.clock.getDelayedCalls()), (9, []))

    def test_over(self) -> None:
        """What is found one after the other is visited in turns as well."""

        async def numbers() -> AsyncIterator[int]:
            for number in range(25):
                yield number

        async def gather() -> list[int]:
            return [item async for item in Turns(self.clock, 10).over(numbers())]

        gathered = Deferred.fromCoroutine(gather())
        self.assertNoResult(gathered)
        self.clock.pump([0, 0])
        self.assertEqual(self.successResultOf(gathered), list(range(25)))
