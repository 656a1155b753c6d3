"""A registry with tight limits on its connections, on the wire in memory."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.web.raw import Line
from txregistry.spec.gate import Gate
from txregistry.testing.house import TestHouse
from txregistry.testing.wire import Wire
from txregistry.web.http.connections import ChannelLimits
from txregistry.web.http.serving import make_serving
from txregistry.web.http.site import RegistrySite

NOW = 1_700_000_000


class Turns(Clock):
    """A clock that does what is due once per turn, as a reactor does.

    Work that asks for another turn at once, for ever, is seen rather than waited for.
    """

    def advance(self, amount: float) -> None:
        self.rightNow += amount
        for call in [call for call in self.calls if call.getTime() <= self.rightNow]:
            if call in self.calls:
                self.calls.remove(call)
                call.called = 1
                call.func(*call.args, **call.kw)

    def busy(self) -> list[Any]:
        """Give what asks for the very next turn."""
        return [call for call in self.calls if call.getTime() <= self.rightNow]


class LimitCase(SynchronousTestCase):
    """A registry with tight limits, and a client that writes by hand."""

    limits = ChannelLimits(
        header_bytes=16_384, header_seconds=10.0, idle_seconds=60.0, connections=3
    )
    options: dict[str, bool] = {}

    def setUp(self) -> None:
        self.clock = Turns()
        self.clock.rightNow = float(NOW)
        self.house = TestHouse(clock=self.clock)
        self.serve()

    def serve(self, **settings: Any) -> None:
        house = self.house
        api = house.api(house.local, Gate(deletes=True), **settings)
        self.site = RegistrySite(
            make_serving(
                api.resource(), house.recorder, limits=self.limits, **self.options
            ),
            house.clock,
        )
        house.registry = self.site
        house.registry_wire = Wire(self.site, house.clock)
        # What a test leaves under way would else end in another one, as garbage.
        self.addCleanup(house.registry_wire.cut)

    def line(self) -> Line:
        return Line(self.house)

    def assertNothingIsLeft(self) -> None:
        self.assertEqual(self.site.channels, set())
        self.assertEqual(self.site.active, set())
        self.assertEqual(self.house.registry_wire.open_connections, 0)
        calls = self.house.clock.getDelayedCalls()
        self.assertEqual([call for call in calls if "http" in repr(call)], [])
