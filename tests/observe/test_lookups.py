"""Counters of the descriptor cache."""

from __future__ import annotations

from prometheus_client import CollectorRegistry
from twisted.trial.unittest import SynchronousTestCase

from txregistry.interfaces.observe import Lookup
from txregistry.observe.lookups import Lookups


class LookupTests(SynchronousTestCase):
    """Lookups under two names."""

    def setUp(self) -> None:
        self.registry = CollectorRegistry()
        self.lookups = Lookups(self.registry)

    def value(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)

    def test_descriptors(self) -> None:
        """Questions to the cache of descriptors have the names of 2.8 and of 3."""
        names = ("requests", "hits", "errors")
        kinds = ("Request", "Hit", "Miss")

        def found() -> list[float | None]:
            new = [self.value(f"registry_storage_cache_{name}_total") for name in names]
            old = [self.value("registry_storage_cache_total", type=k) for k in kinds]
            return [*new, *old]

        self.assertEqual(found(), [0, 0, 0, 0, 0, 0])
        for lookup, wanted in (
            (Lookup.HIT, [1, 1, 0, 1, 1, 0]),
            (Lookup.MISS, [2, 1, 0, 2, 1, 1]),
            (Lookup.ERROR, [3, 1, 1, 3, 1, 2]),
        ):
            self.lookups.count(lookup)
            self.assertEqual(found(), wanted)
