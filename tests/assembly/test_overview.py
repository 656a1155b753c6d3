"""A look at a running cache."""

from __future__ import annotations

import os

from zope.interface.verify import verifyObject

from tests.assembly.test_caches import TWO, CachesCase
from txregistry.assembly.images import build_overlook
from txregistry.interfaces.observe import Count
from txregistry.interfaces.overview import IOverlook, Overview
from txregistry.proxy.fill import Fill
from txregistry.proxy.state import FillState
from txregistry.spec.digest import Digest
from txregistry.spec.ratelimit import Allowance


class Download:
    """A fill as far as it is looked at."""

    def __init__(self, size: int) -> None:
        self.digest = Digest.of(os.urandom(9))
        self.state = FillState(size=size)
        self.followers, self.mean_rate = 3, 77.0

    @property
    def new_bytes(self) -> int:
        """Count what came, without a thousand bytes that were here before."""
        return max(0, self.state.written - 1000)


class OverlookTests(CachesCase):
    """Upstreams and downloads."""

    def setUp(self) -> None:
        super().setUp()
        self.caches = self.cache(**TWO)
        self.overlook = build_overlook(self.current, self.caches)

    def look(self, *written: tuple[Download, int]) -> Overview:
        done = self.overlook.look()
        self.assertNoResult(done)
        for download, size in written:
            download.state.written += size
        self.reactor.advance(1.0)
        return self.successResultOf(done)

    def test_upstreams(self) -> None:
        """Each with its counts, all kinds of content together."""
        verifyObject(IOverlook, self.overlook)
        two = self.caches.upstreams["two.example"]
        for kind, amount in (("blob", 3), ("manifest", 2), ("tag", 1)):
            two.meter.count(Count.REQUESTS, kind, amount)
        two.meter.count(Count.PULLED_BYTES, "blob", 1000)
        found = self.look()
        self.assertFalse(found.offline)
        one, two = found.upstreams
        self.assertEqual((one.name, one.url), ("one.example", "http://one.example"))
        self.assertEqual((one.requests, one.pulled_bytes), (0, 0))
        self.assertEqual((two.name, two.url), ("two.example", "https://two.example"))
        self.assertEqual((two.requests, two.pulled_bytes), (6, 1000))
        self.assertEqual(two.paused_seconds, 0.0)

    def test_paused(self) -> None:
        """An upstream that is away says for how long it is not asked."""
        breaker = self.caches.upstreams["two.example"].client._agents.breaker
        breaker._circuit.probe_failed(self.reactor.seconds())
        one, two = self.look().upstreams
        self.assertEqual(two.paused_seconds, 4.0)
        self.assertFalse(one.failing)
        breaker._circuit.failed(self.reactor.seconds())
        one, two = self.overlook.glance().upstreams
        self.assertEqual((one.failing, two.failing), (False, True))

    def test_downloads(self) -> None:
        """Those of each upstream, with the rate of the last second.

        That of one which has just begun is its own, resumed as it may be.
        """
        fills = self.caches.upstreams["two.example"].fills
        old, new = Download(5000), Download(900)
        old.state.written = 0  # what is here already has not been looked at

        def under_way(_: object) -> list[Fill]:
            return [old, new] if new.state.written else [old]

        self.patch(type(fills), "under_way", property(under_way))
        self.assertEqual(self.overlook.glance().downloads[0].rate, 77.0)
        old.state.written = 1000
        self.reactor.advance(1.0)
        found = self.look((old, 300), (new, 50)).downloads
        of_two = [item for item in found if item.upstream == "two.example"]
        self.assertEqual(
            [(item.digest, item.size, item.done, item.rate) for item in of_two],
            [(str(old.digest), 5000, 1300, 300.0), (str(new.digest), 900, 50, 77.0)],
        )
        self.assertEqual({item.clients for item in of_two}, {3})
        # A glance waits for nothing, and measures since the last one.
        found = self.overlook.glance().downloads
        of_two = [item.rate for item in found if item.upstream == "two.example"]
        self.assertEqual(of_two, [150.0, 77.0])
        old.state.written += 1000
        found = self.overlook.glance().downloads
        self.assertIn(150.0, [item.rate for item in found])

    def test_reload(self) -> None:
        """It looks at the current upstreams, and at the switch."""
        self.changed(self.caches, upstreams={"three.example": {}}, offline=True)
        found = self.look()
        self.assertEqual([item.name for item in found.upstreams], ["three.example"])
        self.assertTrue(found.offline)

    def test_questions(self) -> None:
        """How many an upstream answered, how fast, and how many it still permits."""
        two = self.caches.upstreams["two.example"]
        two.meter.upstream("GET", "200", 0.5)
        two.meter.upstream("HEAD", "404", 0.25)
        two.rate_limit._allowance = Allowance(100, 42)
        one, two = self.overlook.glance().upstreams
        self.assertEqual((two.questions, two.asked_seconds), (2, 0.75))
        self.assertAlmostEqual(two.latency, 0.475)
        self.assertEqual((two.rate_limit, two.rate_left), (100, 42))
        self.assertEqual((one.questions, one.latency, one.rate_limit), (0, None, None))
