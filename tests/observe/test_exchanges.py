"""Counters of requests."""

from __future__ import annotations

from prometheus_client import CollectorRegistry
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.observe.test_access import exchange
from txregistry.interfaces.observe import IExchangeObserver
from txregistry.observe.exchanges import ExchangeMetrics


class ExchangeTests(SynchronousTestCase):
    """Requests by handler, method and status."""

    def setUp(self) -> None:
        self.registry = CollectorRegistry()
        self.metrics = ExchangeMetrics(self.registry)

    def total(self, **labels: str) -> float | None:
        given = {"handler": "blob", "method": "GET", "code": "200", **labels}
        return self.registry.get_sample_value("registry_http_requests_total", given)

    def test_contract(self) -> None:
        """It is told of exchanges."""
        verifyObject(IExchangeObserver, self.metrics)

    def test_counted(self) -> None:
        """Each handler, method and status has its own count, from its first request."""
        self.assertIsNone(self.total())
        for change in ({}, {}, {"status": 404}, {"handler": "tags"}, {"method": "PUT"}):
            self.metrics.ended(exchange(**change))
        self.assertEqual(self.total(), 2)
        self.assertEqual(self.total(code="404"), 1)
        self.assertEqual(self.total(handler="tags"), 1)
        self.assertEqual(self.total(method="PUT"), 1)

    def test_odd_methods(self) -> None:
        """Methods that clients make up are one: they cannot fill the memory."""
        for number in range(50):
            self.metrics.ended(exchange(method=f"BREW{number}"))
        self.assertEqual(self.total(method="other"), 50)
        self.assertIsNone(self.total(method="BREW1"))

    def test_seconds_and_bytes(self) -> None:
        """Durations and sizes of responses are added up."""
        for _ in range(2):
            self.metrics.ended(exchange(seconds=0.25, sent_bytes=5))
        labels = {"handler": "blob", "method": "GET"}
        name = "registry_http_request_duration_seconds"
        value = self.registry.get_sample_value
        self.assertEqual(value(f"{name}_sum", labels), 0.5)
        self.assertEqual(value(f"{name}_count", labels), 2)
        sizes = value("registry_http_response_size_bytes_total", {"handler": "blob"})
        self.assertEqual(sizes, 10)
