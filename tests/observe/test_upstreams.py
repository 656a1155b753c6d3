"""Metrics of several upstreams."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.interfaces.observe import Count
from txregistry.observe.metrics import Metrics


class UpstreamTests(SynchronousTestCase):
    """Each has its label."""

    def setUp(self) -> None:
        self.metrics = Metrics("hub")
        self.other = self.metrics.of_upstream("ghcr.io", "ghcr.io")

    def value(self, upstream: str, name: str = "registry_proxy_hits_total") -> object:
        labels = {"type": "blob", "upstream": upstream}
        return self.metrics.registry.get_sample_value(name, labels)

    def test_apart(self) -> None:
        """What one counts is not counted of the other."""
        self.other.count(Count.HITS, "blob", 2)
        self.metrics.of_upstream("", "ignored").count(Count.HITS, "blob")
        self.assertEqual((self.value("hub"), self.value("ghcr.io")), (1, 2))

    def test_latency(self) -> None:
        """That of the last answers, each of which counts a tenth."""
        self.assertIsNone(self.other.latency)
        self.other.upstream("GET", "200", 2.0)
        self.assertEqual(self.other.latency, 2.0)
        self.other.upstream("GET", "200", 1.0)
        self.assertAlmostEqual(self.other.latency, 1.9)
        self.other.rename("other")
        self.assertIsNone(self.other.latency)

    def test_renamed(self) -> None:
        """One that is called otherwise begins anew; the others stay."""
        for meter in (self.metrics, self.other):
            meter.count(Count.HITS, "blob")
            meter.upstream("GET", "200", 0.1)
        self.metrics.rename("hub")
        self.assertEqual(self.value("hub"), 1)
        self.metrics.rename("mirror")
        self.assertEqual((self.value("mirror"), self.value("ghcr.io")), (0, 1))
        self.assertIsNone(self.value("hub"))
        text = self.metrics.exposition().decode()
        self.assertNotIn('upstream="hub"', text)
        self.assertIn('registry_proxy_upstream_seconds_count{method="GET"', text)

    def test_retired(self) -> None:
        """One that is no longer configured is not shown, until it comes back."""
        self.other.count(Count.HITS, "blob")
        self.other.retire()
        self.other.count(Count.HITS, "blob")
        self.other.upstream("GET", "200", 0.1)
        self.other.retire()
        self.assertNotIn("ghcr.io", self.metrics.exposition().decode())
        self.other.rename("ghcr.io")
        self.assertEqual(self.value("ghcr.io"), 0)

    def test_rate_limits(self) -> None:
        """Gauges of those that say something, which go with the name."""
        name = "registry_proxy_ratelimit_remaining"
        self.metrics.quota(None, 9)
        self.other.quota(100, 50)
        self.other.retry_after(30.0)

        def value(upstream: str, name: str = name) -> object:
            labels = {"upstream": upstream}
            return self.metrics.registry.get_sample_value(name, labels)

        self.assertEqual((value("hub"), value("ghcr.io")), (9, 50))
        self.assertIsNone(value("hub", "registry_proxy_ratelimit_limit"))
        waited = value("ghcr.io", "registry_proxy_retry_after_seconds")
        self.assertEqual(waited, 30)
        self.metrics.rename("mirror")
        self.assertEqual((value("hub"), value("mirror")), (None, None))
        self.assertEqual(value("ghcr.io"), 50)

    def test_offline(self) -> None:
        """It is of all upstreams together."""
        self.metrics.offline(True)
        found = self.metrics.registry.get_sample_value("registry_proxy_offline")
        self.assertEqual(found, 1)
