"""Metrics for Prometheus: those of distribution, and more for the cache."""

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

from txregistry.flow.context import request_id
from txregistry.interfaces.observe import (
    Count,
    Exchange,
    IExchangeObserver,
    IMeter,
    Lookup,
)
from txregistry.observe.exchanges import ExchangeMetrics
from txregistry.observe.lookups import Lookups
from txregistry.observe.scrub import ScrubMetrics

#: Returns the state of each endpoint, as in ``/debug/vars``.
NotificationState = Callable[[], Sequence[dict[str, Any]]]

_KINDS = ("blob", "manifest", "tag")

_HELP = {
    Count.REQUESTS: "Requests to the cache",
    Count.HITS: "Requests answered from the cache",
    Count.MISSES: "Requests for content that was not cached",
    Count.COALESCED: "Requests that joined an upstream request or download in progress",
    Count.PULLED_BYTES: "Bytes received from the upstream",
    Count.SERVED_BYTES: "Bytes sent to clients",
    Count.STALE: "Responses served unconfirmed while the upstream failed",
    Count.EVICTED: "Expired entries",
    Count.EVICTED_BYTES: "Bytes of content deleted after its last entry expired",
    Count.FAILED: "Failed downloads from the upstream",
    Count.RESUMED: "Downloads resumed with a range request",
    Count.DAMAGED: "Stored content that no longer matched its digest and was set aside",
}

#: Distribution calls bytes sent to clients "pushed".
_NAMES = {Count.SERVED_BYTES: "pushed_bytes"}


@implementer(IMeter, IExchangeObserver)
@attrs.define(eq=False)
class Metrics:
    """All metrics of one process, in their own registry.

    :param upstream: the label of the cache's metrics; empty without an upstream.
    :ivar registry: other collectors may be added to it.
    :ivar scrub: the metrics of scrubs.
    """

    _upstream: str
    registry: CollectorRegistry = attrs.field(factory=CollectorRegistry)
    _counts: dict[tuple[Count, str], Counter] = attrs.field(init=False)
    _families: dict[Count, Counter] = attrs.field(factory=dict)
    _fills: Gauge = attrs.field(init=False)
    _answers: Histogram = attrs.field(init=False)
    _lookups: Lookups = attrs.field(init=False)
    _exchanges: ExchangeMetrics = attrs.field(init=False)
    scrub: ScrubMetrics = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        for what in Count:
            self._add_counter(what)
        self._counts = self._labelled()
        self._lookups = Lookups(self.registry)
        self.scrub = ScrubMetrics(self.registry)
        self._fills = Gauge(
            "registry_proxy_fills_in_flight",
            "Downloads from the upstream in progress",
            registry=self.registry,
        )
        self._answers = Histogram(
            "registry_proxy_upstream_seconds",
            "Seconds until the upstream's response headers",
            ["upstream", "method", "status"],
            registry=self.registry,
        )
        self._exchanges = ExchangeMetrics(self.registry)

    def rename(self, upstream: str) -> None:
        """Label metrics with another upstream; its counters start at 0."""
        if upstream == self._upstream:
            return
        self._upstream = upstream
        for family in (*self._families.values(), self._answers):
            family.clear()
        self._counts = self._labelled()

    def count(self, what: Count, kind: str, amount: float = 1) -> None:
        """Increase a counter for a kind of content."""
        self._counts[what, kind].inc(amount)

    def descriptor(self, found: Lookup) -> None:
        """Count a lookup in the descriptor cache."""
        self._lookups.count(found)

    def fills(self, delta: int) -> None:
        """Change the number of downloads in progress."""
        self._fills.inc(delta)

    def upstream(self, method: str, status: str, seconds: float) -> None:
        """Record a response of the upstream."""
        self._answers.labels(self._upstream, method, status).observe(seconds)

    def ended(self, exchange: Exchange) -> None:
        """Count an exchange."""
        self._exchanges.ended(exchange)

    def watch_notifications(self, state: NotificationState) -> None:
        """Add the metrics of notifications, read from ``state`` at each scrape."""
        self.registry.register(_Notifications(state))

    def exposition(self) -> bytes:
        """Return all metrics in the text format of Prometheus."""
        return generate_latest(self.registry)

    def _add_counter(self, what: Count) -> None:
        self._families[what] = Counter(
            f"registry_proxy_{_NAMES.get(what, what.value)}",
            _HELP[what],
            ["type", "upstream"],
            registry=self.registry,
        )

    def _labelled(self) -> dict[tuple[Count, str], Counter]:
        return {
            (what, kind): family.labels(kind, self._upstream)
            for what, family in self._families.items()
            for kind in _KINDS
        }


@attrs.define(eq=False)
class _Notifications(Collector):
    """Distribution's metrics of notifications, made from the endpoints' state."""

    _state: NotificationState

    def collect(self) -> Iterator[Metric]:
        """Yield the current metrics."""
        events = CounterMetricFamily(
            "registry_notifications_events",
            "Events by outcome",
            labels=["endpoint", "type"],
        )
        pending = GaugeMetricFamily(
            "registry_notifications_pending",
            "Events waiting to be sent",
            labels=["endpoint"],
        )
        statuses = CounterMetricFamily(
            "registry_notifications_status",
            "Responses of endpoints",
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
    """Passes each exchange to several observers; one that fails affects no other."""

    _observers: tuple[IExchangeObserver, ...]
    _log = Logger()

    def ended(self, exchange: Exchange) -> None:
        """Pass an exchange to all observers; errors are logged."""
        for observer in self._observers:
            try:
                observer.ended(exchange)
            except Exception:
                # The connection may have ended in anybody's context.
                token = request_id.set(exchange.request_id)
                self._log.failure(
                    "{observer} failed for a request; its log line or metrics are"
                    " missing, the request is not affected",
                    observer=type(observer).__name__,
                )
                request_id.reset(token)
