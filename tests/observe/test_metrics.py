"""What is counted."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.observe.test_access import exchange
from txregistry.interfaces.observe import (
    Count,
    IMeter,
    Lookup,
)
from txregistry.observe.metrics import Metrics, Observers


class MetricsTests(SynchronousTestCase):
    """Metrics."""

    def setUp(self) -> None:
        self.metrics = Metrics("up")

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)

    def test_counts(self) -> None:
        """Every counter has a name and begins at 0."""
        verifyObject(IMeter, self.metrics)
        for what in Count:
            name = {"served_bytes": "pushed_bytes"}.get(what.value, what.value)
            full = f"registry_proxy_{name}_total"
            self.assertEqual(self.value(full, type="blob", upstream="up"), 0)
            self.metrics.count(what, "blob", 3)
            self.assertEqual(self.value(full, type="blob", upstream="up"), 3)

    def test_another_upstream(self) -> None:
        """It is counted from zero, and nothing is left of the one before."""
        name = "registry_proxy_hits_total"
        self.metrics.count(Count.HITS, "blob", 3)
        self.metrics.upstream("GET", "200", 0.1)
        self.metrics.rename("up")
        self.assertEqual(self.value(name, type="blob", upstream="up"), 3)
        self.metrics.rename("other")
        self.metrics.count(Count.HITS, "blob", 2)
        self.assertEqual(self.value(name, type="blob", upstream="other"), 2)
        self.assertNotIn(b'"up"', self.metrics.exposition())

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
            self.metrics.descriptor(lookup)
            self.assertEqual(found(), wanted)

    def test_exchanges(self) -> None:
        """Requests by handler, method and status; odd methods are one."""
        observer = Observers((self.metrics,))
        observer.ended(exchange())
        observer.ended(exchange(method="BREW"))
        total = "registry_http_requests_total"
        for method in ("GET", "other"):
            labels = {"handler": "blob", "method": method, "code": "200"}
            self.assertEqual(self.value(total, **labels), 1)

    def test_upstream(self) -> None:
        """Time to the upstream's head."""
        self.metrics.upstream("GET", "200", 0.5)
        name = "registry_proxy_upstream_seconds_sum"
        labels = {"upstream": "up", "method": "GET", "status": "200"}
        self.assertEqual(self.value(name, **labels), 0.5)
