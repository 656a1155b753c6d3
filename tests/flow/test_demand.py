"""Whether somebody waits."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow.context import background
from txregistry.flow.deferred import deferred
from txregistry.flow.demand import (
    NOBODY,
    SOMEBODY,
    Demand,
    current_demand,
    unawaited,
)


class DemandTests(SynchronousTestCase):
    """Of one piece of work."""

    def test_counted(self) -> None:
        """It is awaited until the last one leaves."""
        demand = Demand()
        self.assertFalse(demand.is_awaited)
        demand.join()
        demand.join()
        demand.leave()
        self.assertTrue(demand.is_awaited)
        demand.leave()
        self.assertFalse(demand.is_awaited)

    def test_watched(self) -> None:
        """Those who watch are told of the first one, each time, until they end it."""
        demand, told = Demand(), list[str]()
        end = demand.watch(lambda: told.append("a"))
        demand.watch(lambda: (told.append("b"), end()))
        demand.join()
        demand.join()
        self.assertEqual(told, ["a", "b"])
        demand.leave()
        demand.leave()
        demand.join()
        self.assertEqual(told, ["a", "b", "b"])
        end()


class ContextTests(SynchronousTestCase):
    """Of the current work."""

    def test_requests(self) -> None:
        """By default somebody waits; for background work nobody does."""
        self.assertIs(current_demand.get(), SOMEBODY)
        self.assertIs(background("x")(current_demand.get)(), NOBODY)
        self.assertIs(current_demand.get(), SOMEBODY)

    def test_unawaited(self) -> None:
        """It is so for all that a coroutine does, whoever calls it or back."""
        found: list[Demand] = []
        wakes: Deferred[None] = Deferred()

        @unawaited
        @deferred
        async def work() -> None:
            found.append(current_demand.get())
            await wakes
            found.append(current_demand.get())

        done = work()
        wakes.callback(None)
        self.successResultOf(done)
        self.assertEqual(found, [NOBODY, NOBODY])
        self.assertIs(current_demand.get(), SOMEBODY)
