"""Metrics for Prometheus: those of distribution, and more for the cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs
from prometheus_client import CollectorRegistry
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
    IUpstreamMeters,
    Lookup,
)
from txregistry.observe.exchanges import ExchangeMetrics
from txregistry.observe.scrub import ScrubMetrics
from txregistry.observe.space import SpaceMetrics
from txregistry.observe.upstreams import UpstreamFamilies, UpstreamMeter
from txregistry.spec.reference import RepositoryName

#: Returns the state of each endpoint, as in ``/debug/vars``.
NotificationState = Callable[[], Sequence[dict[str, Any]]]


@implementer(IMeter, IUpstreamMeters, IExchangeObserver)
@attrs.define(eq=False)
class Metrics:
    """All metrics of one process, in their own registry.

    Counts for the default upstream; see :meth:`of_upstream` for others.

    :param upstream: its label; empty without one.
    :ivar registry: other collectors may be added to it.
    :ivar scrub: the metrics of scrubs.
    :ivar space: the metrics of the room on the disk.
    """

    _upstream: str
    registry: CollectorRegistry = attrs.field(factory=CollectorRegistry)
    scrub: ScrubMetrics = attrs.field(init=False)
    space: SpaceMetrics = attrs.field(init=False)
    _families: UpstreamFamilies = attrs.field(init=False)
    _default: UpstreamMeter = attrs.field(init=False)
    _others: dict[str, UpstreamMeter] = attrs.field(factory=dict)
    _exchanges: ExchangeMetrics = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._families = UpstreamFamilies(self.registry)
        self._default = UpstreamMeter(self._families, self._upstream)
        self.scrub = ScrubMetrics(self.registry)
        self.space = SpaceMetrics(self.registry)
        self._exchanges = ExchangeMetrics(self.registry)

    def of_upstream(self, key: str, label: str) -> UpstreamMeter:
        """Give what counts for one upstream.

        :param key: empty for the default one.
        :param label: what it is called in metrics.
        """
        if not key:
            return self._default
        if key not in self._others:
            self._others[key] = UpstreamMeter(self._families, label)
        return self._others[key]

    def meter_of(self, name: RepositoryName) -> UpstreamMeter:
        """Return the meter of a repository's upstream, which is its first component."""
        return self._others.get(name.text.partition("/")[0], self._default)

    def rename(self, upstream: str) -> None:
        """Label metrics of the default upstream anew; its counters start at 0."""
        self._default.rename(upstream)

    def offline(self, on: bool) -> None:
        """Record whether upstreams are asked."""
        self._families.offline.set(on)

    def count(self, what: Count, kind: str, amount: float = 1) -> None:
        """Increase a counter for a kind of content."""
        self._default.count(what, kind, amount)

    def descriptor(self, found: Lookup) -> None:
        """Count a lookup in the descriptor cache."""
        self._default.descriptor(found)

    def fills(self, delta: int) -> None:
        """Change the number of downloads in progress."""
        self._default.fills(delta)

    def upstream(self, method: str, status: str, seconds: float) -> None:
        """Record a response of the default upstream."""
        self._default.upstream(method, status, seconds)

    def quota(self, limit: int | None, remaining: int | None) -> None:
        """Record the rate limit of the default upstream."""
        self._default.quota(limit, remaining)

    def retry_after(self, seconds: float) -> None:
        """Record 429 of the default upstream."""
        self._default.retry_after(seconds)

    def ended(self, exchange: Exchange) -> None:
        """Count an exchange."""
        self._exchanges.ended(exchange)

    def watch_notifications(self, state: NotificationState) -> None:
        """Add the metrics of notifications, read from ``state`` at each scrape."""
        self.registry.register(_Notifications(state))

    def exposition(self) -> bytes:
        """Return all metrics in the text format of Prometheus."""
        return generate_latest(self.registry)


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
                self._tell(exchange, observer)

    def _tell(self, exchange: Exchange, observer: IExchangeObserver) -> None:
        token = request_id.set(exchange.request_id)
        try:
            self._log.failure(
                "{observer} failed for a request; its log line or metrics are"
                " missing, the request is not affected",
                observer=type(observer).__name__,
            )
        finally:
            request_id.reset(token)
