"""Questions to the cache of descriptors, under both of distribution's sets of names.

2.8 has one counter, in which an error is a miss; 3 has one of requests, one of hits and
one of errors. Dashboards are there for either.
"""

from __future__ import annotations

import attrs
from prometheus_client import CollectorRegistry, Counter

from txregistry.interfaces.observe import Lookup


@attrs.define(eq=False)
class Lookups:
    """The counters; all of them are there from the start."""

    _registry: CollectorRegistry
    _counters: dict[Lookup, tuple[Counter, ...]] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        by_type = self._make("cache", "Questions to the cache of descriptors", "type")
        asked, hit, miss = (by_type.labels(kind) for kind in ("Request", "Hit", "Miss"))
        requests = self._make("cache_requests", "Questions to the cache of descriptors")
        hits = self._make("cache_hits", "Descriptors that the cache knew")
        errors = self._make("cache_errors", "Questions that the cache could not answer")
        self._counters = {
            Lookup.HIT: (asked, requests, hit, hits),
            Lookup.MISS: (asked, requests, miss),
            Lookup.ERROR: (asked, requests, miss, errors),
        }

    def count(self, found: Lookup) -> None:
        """Count one question, and what became of it."""
        for counter in self._counters[found]:
            counter.inc()

    def _make(self, name: str, told: str, *labels: str) -> Counter:
        return Counter(
            f"registry_storage_{name}", told, labels, registry=self._registry
        )
