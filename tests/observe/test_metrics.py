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

    def test_upstream(self) -> None:
        """Time to the upstream's head."""
        self.metrics.upstream("GET", "200", 0.5)
        name = "registry_proxy_upstream_seconds_sum"
        labels = {"upstream": "up", "method": "GET", "status": "200"}
        self.assertEqual(self.value(name, **labels), 0.5)

    def test_descriptors(self) -> None:
        """Lookups are counted with the other metrics."""
        self.metrics.descriptor(Lookup.HIT)
        self.assertEqual(self.value("registry_storage_cache_hits_total"), 1)

    def test_observers(self) -> None:
        """One that fails is logged, and the others are told all the same."""

        class Broken:
            def ended(self, exchange: object) -> None:
                raise OSError("full")

        Observers((Broken(), self.metrics)).ended(exchange())
        labels = {"handler": "blob", "method": "GET", "code": "200"}
        self.assertEqual(self.value("registry_http_requests_total", **labels), 1)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
