"""Each odd upstream by itself, and all at once, on the in-memory wire."""

from __future__ import annotations

import random
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import Site

from tests.upstreams import access, content
from tests.upstreams.odd import Case, OddUpstream, Place
from txregistry.spec.freshness import TagPolicy
from txregistry.testing.house import UPSTREAM, TestHouse

CASES = (*access.CASES, *content.CASES)


class WireTests(SynchronousTestCase):
    """The table, on a clock."""

    def setUp(self) -> None:
        self.house = TestHouse(policy=TagPolicy(60.0))
        self.upstream = OddUpstream(self.house.clock)
        self.house.upstream_wire._server = Site(self.upstream, reactor=self.house.clock)

    def make(self, kind: type[Case]) -> Case:
        async def wait(seconds: float) -> None:
            await deferLater(self.house.clock, seconds)

        there = "http://there.example"
        case = kind(Place(UPSTREAM, there, self.house.ask, wait, 60.0))
        self.upstream.cases[case.name] = case
        return case

    def test_all_at_once_in_any_order(self) -> None:
        """No case spoils another, whichever comes first."""
        order = list(CASES)
        seed = random.randrange(2**32)
        random.Random(seed).shuffle(order)
        running = [Deferred.fromCoroutine(self.make(kind).run()) for kind in order]
        try:
            self.house.settle(gatherResults(running, consumeErrors=True), step=0.5)
        except Exception as error:
            raise AssertionError(f"seed {seed}: {error}") from error
        self.assertEqual(self.flushLoggedErrors(), [])


def _add(kind: type[Case]) -> None:
    def test(self: Any) -> None:
        case = self.make(kind)
        self.house.settle(Deferred.fromCoroutine(case.run()), step=0.5)
        self.assertEqual(self.flushLoggedErrors(), [])

    test.__doc__ = kind.__doc__
    name = "".join("_" + c.lower() if c.isupper() else c for c in kind.__name__)
    setattr(WireTests, f"test{name}", test)


for _kind in CASES:
    _add(_kind)
