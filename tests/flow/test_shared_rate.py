"""Streams that share a rate."""

from __future__ import annotations

import attrs
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow.demand import Demand
from txregistry.flow.shared_rate import BURST_SECONDS, RateStream, SharedRate

RATE = 1000.0


@attrs.define(eq=False)
class Source:
    """A stream that sends a piece whenever it may."""

    rate: SharedRate
    piece: int
    total: int = 0
    is_held: bool = False
    demand: Demand = attrs.field(factory=lambda: Demand(1))
    stream: RateStream = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.stream = self.rate.open(self.hold, self.release, self.demand)

    def hold(self) -> None:
        assert not self.is_held
        self.is_held = True

    def release(self) -> None:
        assert self.is_held
        self.is_held = False

    def send(self) -> None:
        if not self.is_held:
            self.total += self.piece
            self.stream.received(self.piece)


class SharedRateTests(SynchronousTestCase):
    """Fair, bounded, and without a timer that nobody needs."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.rate = SharedRate(self.clock, RATE)

    def assertNear(self, found: float, wanted: float, most: float) -> None:
        self.assertLessEqual(abs(found - wanted), most, (found, wanted))

    def run_for(self, seconds: float, *sources: Source) -> None:
        for _ in range(round(seconds * 500)):
            for source in sources:
                source.send()
            self.clock.advance(0.002)

    def test_one(self) -> None:
        """One stream has all of it."""
        source = Source(self.rate, 50)
        self.run_for(10, source)
        self.assertNear(source.total, 10 * RATE, RATE * 0.5)

    def test_fair(self) -> None:
        """Each has the same, whatever the sizes of its pieces."""
        sources = [Source(self.rate, piece) for piece in (10, 100, 400)]
        self.run_for(30, *sources)
        self.assertNear(sum(s.total for s in sources), 30 * RATE, RATE * 1.5)
        for source in sources:
            self.assertNear(source.total, 10 * RATE, RATE)

    def test_who_needs_less(self) -> None:
        """What one does not take the others have."""
        slow, fast = Source(self.rate, 10), Source(self.rate, 100)
        for _ in range(100):
            slow.send()  # 100 bytes per second
            self.run_for(0.1, fast)
        self.assertGreater(slow.total, 900)
        self.assertGreater(slow.total + fast.total, 9 * RATE)

    def test_no_claim_to_the_past(self) -> None:
        """Who comes later, or was idle, has its share of now, and no more."""
        first, idle = Source(self.rate, 100), Source(self.rate, 100)
        self.run_for(10, first)
        before, late = first.total, Source(self.rate, 100)
        self.run_for(10, first, idle, late)
        for source in (idle, late):
            self.assertNear(source.total, RATE * 10 / 3, RATE / 2)
        self.assertGreater(first.total - before, RATE * 10 / 3 - RATE / 2)

    def test_what_nobody_waits_for(self) -> None:
        """It has what the others leave, and its share when somebody waits for it."""
        wanted, ahead = Source(self.rate, 50), Source(self.rate, 50, demand=Demand())
        self.run_for(10, wanted, ahead)
        self.assertLessEqual(ahead.total, 200)
        self.assertNear(wanted.total, 10 * RATE, RATE)
        before = ahead.total
        ahead.demand.join()
        self.run_for(10, wanted, ahead)
        self.assertNear(ahead.total - before, 5 * RATE, RATE)
        ahead.demand.leave()
        before = ahead.total
        self.run_for(10, ahead)
        self.assertNear(ahead.total - before, 10 * RATE, RATE)

    def test_burst(self) -> None:
        """A pause is made good for a moment only."""
        self.clock.advance(3600)
        source = Source(self.rate, 1)
        while not source.is_held:
            source.send()
        self.assertLessEqual(source.total, RATE * BURST_SECONDS + 2)

    def test_piece_larger_than_the_rate(self) -> None:
        """It passes, and is waited off."""
        source = Source(self.rate, 5000)
        source.send()
        self.assertFalse(source.is_held)
        source.send()
        self.assertTrue(source.is_held)
        self.clock.advance(4.7)
        self.assertTrue(source.is_held)
        self.clock.advance(0.1)
        self.assertFalse(source.is_held)

    def test_more_while_held(self) -> None:
        """What was on its way when it was held counts in the same turn."""
        source = Source(self.rate, 1000)
        source.send()
        source.send()
        source.stream.received(1000)
        self.clock.advance(1.0)
        self.assertFalse(source.is_held)
        source.send()
        self.clock.advance(1.7)
        self.assertTrue(source.is_held)
        self.clock.advance(0.1)
        self.assertFalse(source.is_held)

    def test_no_limit(self) -> None:
        """Without a rate nothing is held and nothing timed."""
        rate = SharedRate(self.clock)
        source = Source(rate, 10**9)
        for _ in range(10):
            source.send()
        self.assertEqual((source.is_held, self.clock.getDelayedCalls()), (False, []))

    def test_changed(self) -> None:
        """Another rate holds for those that wait, and none lets all go."""
        source = Source(self.rate, 10_000)
        source.send()
        source.send()
        self.rate.follow(100_000.0)
        self.clock.advance(0.2)
        self.assertFalse(source.is_held)
        self.rate.follow(1.0)
        source.send()
        source.send()
        self.assertTrue(source.is_held)
        self.rate.follow(0.0)
        self.assertEqual((source.is_held, self.clock.getDelayedCalls()), (False, []))
        self.rate.follow(RATE)
        self.run_for(5, source)
        self.assertEqual(self.rate.waiting, 1)

    def test_leaving(self) -> None:
        """Nothing is left of who has gone, but that its bytes have come."""
        first, second = Source(self.rate, 1000), Source(self.rate, 1000)
        for source in (first, second):
            source.send()
        self.assertEqual(self.rate.waiting, 1)
        second.stream.close()
        self.assertEqual((self.rate.waiting, self.clock.getDelayedCalls()), (0, []))
        first.send()
        self.clock.advance(1.5)
        self.assertTrue(first.is_held)
        self.clock.advance(0.5)
        self.assertFalse(first.is_held)

    @given(st.lists(st.integers(1, 3000), min_size=1, max_size=6))
    def test_never_faster(self, pieces: list[int]) -> None:
        """Together they never get more than the rate, a burst and one piece."""
        self.setUp()
        sources = [Source(self.rate, piece) for piece in pieces]
        self.run_for(2, *sources)
        most = RATE * (2 + BURST_SECONDS) + max(pieces) + sum(pieces)
        self.assertLessEqual(sum(source.total for source in sources), most)
