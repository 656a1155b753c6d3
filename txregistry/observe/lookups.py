"""Metrics of the descriptor cache, under the names of distribution 2.8 and 3.

2.8 has one counter with a label, in which an error is a miss; 3 has counters of
requests, hits and errors. There are dashboards for both.
"""

from __future__ import annotations

import attrs
from prometheus_client import CollectorRegistry, Counter

from txregistry.interfaces.observe import Lookup


@attrs.define(eq=False)
class Lookups:
    """The counters of the descriptor cache, all of them present from the start."""

    _registry: CollectorRegistry
    _counters: dict[Lookup, tuple[Counter, ...]] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        by_type = self._make("cache", "Lookups in the descriptor cache", "type")
        asked, hit, miss = (by_type.labels(kind) for kind in ("Request", "Hit", "Miss"))
        requests = self._make("cache_requests", "Lookups in the descriptor cache")
        hits = self._make("cache_hits", "Lookups that found a descriptor")
        errors = self._make("cache_errors", "Lookups that failed")
        self._counters = {
            Lookup.HIT: (asked, requests, hit, hits),
            Lookup.MISS: (asked, requests, miss),
            Lookup.ERROR: (asked, requests, miss, errors),
        }

    def count(self, found: Lookup) -> None:
        """Count one lookup and its result."""
        for counter in self._counters[found]:
            counter.inc()

    def _make(self, name: str, documentation: str, *labels: str) -> Counter:
        return Counter(
            f"registry_storage_{name}", documentation, labels, registry=self._registry
        )
