"""Metrics for Prometheus: distribution's names, and what a cache has beyond them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector
from twisted.logger import Logger
from zope.interface import implementer

from txregistry.interfaces.observe import (
    Count,
    Exchange,
    IExchangeObserver,
    IMeter,
    Lookup,
)
from txregistry.observe.lookups import Lookups
from txregistry.observe.scrub import ScrubMetrics

_Children = tuple[Counter, Histogram, Counter]

#: Gives the state of each endpoint, as ``/debug/vars`` tells it.
NotificationState = Callable[[], Sequence[dict[str, Any]]]

_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_KINDS = ("blob", "manifest", "tag")

_HELP = {
    Count.REQUESTS: "Requests to the cache",
    Count.HITS: "Requests answered from what is stored",
    Count.MISSES: "Requests for what was not stored",
    Count.COALESCED: "Requests that joined a question or download under way",
    Count.PULLED_BYTES: "Bytes received from the upstream",
    Count.SERVED_BYTES: "Bytes sent to clients",
    Count.STALE: "Answers served unconfirmed while the upstream failed",
    Count.EVICTED: "Entries that have expired",
    Count.EVICTED_BYTES: "Bytes of content deleted after its last entry expired",
    Count.FAILED: "Fills that failed",
    Count.RESUMED: "Downloads that were continued with a range",
    Count.DAMAGED: "Content that had not its digest any more and was set aside",
}

#: Distribution calls what goes to clients pushed.
_NAMES = {Count.SERVED_BYTES: "pushed_bytes"}


@implementer(IMeter, IExchangeObserver)
@attrs.define(eq=False)
class Metrics:
    """All counters of one process, in a registry of their own.

    :param upstream: labels what is about the upstream; empty without one.
    :ivar scrub: the metrics of scrubs.
    """

    _upstream: str
    registry: CollectorRegistry = attrs.field(factory=CollectorRegistry)
    _counts: dict[tuple[Count, str], Counter] = attrs.field(init=False)
    _fills: Gauge = attrs.field(init=False)
    _answers: Histogram = attrs.field(init=False)
    _requests: Counter = attrs.field(init=False)
    _durations: Histogram = attrs.field(init=False)
    _sizes: Counter = attrs.field(init=False)
    _lookups: Lookups = attrs.field(init=False)
    scrub: ScrubMetrics = attrs.field(init=False)
    _known: dict[tuple[str, str, int], _Children] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self._counts = {}
        for what in Count:
            self._add_counter(what)
        self._lookups = Lookups(self.registry)
        self.scrub = ScrubMetrics(self.registry)
        self._fills = Gauge(
            "registry_proxy_fills_in_flight",
            "Downloads from the upstream under way",
            registry=self.registry,
        )
        self._answers = Histogram(
            "registry_proxy_upstream_seconds",
            "Time until the head of the upstream's answer",
            ["upstream", "method", "status"],
            registry=self.registry,
        )
        self._requests = Counter(
            "registry_http_requests",
            "Requests answered",
            ["handler", "method", "code"],
            registry=self.registry,
        )
        self._durations = Histogram(
            "registry_http_request_duration_seconds",
            "Time until the last byte of the answer",
            ["handler", "method"],
            registry=self.registry,
        )
        self._sizes = Counter(
            "registry_http_response_size_bytes",
            "Bytes of the bodies of answers",
            ["handler"],
            registry=self.registry,
        )

    def count(self, what: Count, kind: str, amount: float = 1) -> None:
        """Add to a counter of a kind of content."""
        self._counts[what, kind].inc(amount)

    def descriptor(self, found: Lookup) -> None:
        """Count a question to the cache of descriptors."""
        self._lookups.count(found)

    def fills(self, delta: int) -> None:
        """Change the number of fills in flight."""
        self._fills.inc(delta)

    def upstream(self, method: str, status: str, seconds: float) -> None:
        """Record an answer of the upstream."""
        self._answers.labels(self._upstream, method, status).observe(seconds)

    def ended(self, exchange: Exchange) -> None:
        """Count an exchange."""
        requests, durations, sizes = self._children(
            exchange.handler, exchange.method, exchange.status
        )
        requests.inc()
        durations.observe(exchange.seconds)
        sizes.inc(exchange.sent_bytes)

    def _children(self, handler: str, method: str, status: int) -> _Children:
        # Looking labels up costs more than counting; there are few combinations.
        key = (handler, method if method in _METHODS else "other", status)
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = (
                self._requests.labels(key[0], key[1], str(status)),
                self._durations.labels(key[0], key[1]),
                self._sizes.labels(key[0]),
            )
        return found

    def watch_notifications(self, state: NotificationState) -> None:
        """Publish what becomes of events, read whenever somebody asks."""
        self.registry.register(_Notifications(state))

    def exposition(self) -> bytes:
        """Give everything in the text format of Prometheus."""
        return generate_latest(self.registry)

    def _add_counter(self, what: Count) -> None:
        counter = Counter(
            f"registry_proxy_{_NAMES.get(what, what.value)}",
            _HELP[what],
            ["type", "upstream"],
            registry=self.registry,
        )
        for kind in _KINDS:
            self._counts[what, kind] = counter.labels(kind, self._upstream)


@attrs.define(eq=False)
class _Notifications(Collector):
    """Distribution's metrics of notifications, from the state of the endpoints."""

    _state: NotificationState

    def collect(self) -> Iterator[Metric]:
        """Give the metrics of the moment."""
        events = CounterMetricFamily(
            "registry_notifications_events",
            "Events by what became of them",
            labels=["endpoint", "type"],
        )
        pending = GaugeMetricFamily(
            "registry_notifications_pending",
            "Events that wait",
            labels=["endpoint"],
        )
        statuses = CounterMetricFamily(
            "registry_notifications_status",
            "Answers of endpoints",
            labels=["endpoint", "code"],
        )
        for endpoint in self._state():
            name, found = endpoint["Name"], dict(endpoint["Metrics"])
            for code, count in found.pop("Statuses").items():
                statuses.add_metric([name, code], count)
            pending.add_metric([name], found.pop("Pending"))
            for kind, count in found.items():
                events.add_metric([name, kind], count)
        yield from (events, pending, statuses)


@implementer(IExchangeObserver)
@attrs.define(eq=False)
class Observers:
    """Tells several observers of each exchange; what fails in one harms no other."""

    _observers: tuple[IExchangeObserver, ...]
    _log = Logger()

    def ended(self, exchange: Exchange) -> None:
        """Tell all of them."""
        for observer in self._observers:
            try:
                observer.ended(exchange)
            except Exception:
                self._log.failure("an exchange could not be observed")
