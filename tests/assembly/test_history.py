"""What the history of a daemon counts."""

from __future__ import annotations

from tests.assembly.test_reload import CACHE, DaemonCase
from txregistry.assembly.history import counts_of
from txregistry.interfaces.observe import Count


class HistoryPartsTests(DaemonCase):
    """Of each upstream of a cache."""

    def test_counts(self) -> None:
        """What was counted, and what follows from it."""
        self.start(proxy=CACHE)
        cache = self.reloader._take.__self__._parts.cache
        (upstream,) = cache.current.upstreams.values()
        # The daemon itself may have asked already, and been told that nobody is there.
        meter, before = upstream.meter, counts_of(cache)
        meter.count(Count.SERVED_BYTES, "blob", 700)
        meter.count(Count.HIT_BYTES, "blob", 500)
        meter.upstream("GET", "200", 0.25)
        found = counts_of(cache)
        name = "upstream.example"
        self.assertEqual(found[f"{name}/hits"], 0.0)
        self.assertEqual(found[f"{name}/miss_bytes"], 200)
        for what, rise in (("asked_seconds", 0.25), ("questions", 1.0)):
            key = f"{name}/{what}"
            self.assertEqual(found[key] - before[key], rise)
