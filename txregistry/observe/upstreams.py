"""Metrics of the cache, each with the label of its upstream."""

from __future__ import annotations

import attrs
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from zope.interface import implementer

from txregistry.interfaces.observe import Count, IMeter, Lookup, remember_count
from txregistry.observe.lookups import Lookups

_KINDS = ("blob", "manifest", "tag")

_HELP = {
    Count.REQUESTS: "Requests to the cache",
    Count.HITS: "Requests answered from the cache",
    Count.MISSES: "Requests for content that was not cached",
    Count.COALESCED: "Requests that joined an upstream request or download in progress",
    Count.PULLED_BYTES: "Bytes received from the upstream",
    Count.SERVED_BYTES: "Bytes sent to clients",
    Count.HIT_BYTES: "Bytes sent to clients that were stored already",
    Count.STALE_BYTES: "Bytes sent to clients unconfirmed",
    Count.STALE: "Responses served unconfirmed as the upstream failed or was spared",
    Count.BEHIND: "Responses served while the upstream was asked behind them",
    Count.EVICTED: "Expired entries",
    Count.EVICTED_BYTES: "Bytes of content deleted after its last entry expired",
    Count.FAILED: "Failed downloads from the upstream",
    Count.RESUMED: "Downloads resumed with a range request",
    Count.UNSTORED: "Content that the disk did not take, or had no room for",
    Count.MADE_ROOM: "Blobs deleted to make room for others",
    Count.MADE_ROOM_BYTES: "Bytes of blobs deleted to make room for others",
    Count.DAMAGED: "Stored content that no longer matched its digest and was set aside",
}

#: Gauges of one upstream; those that it says nothing of are not there.
_GAUGES = {
    "ratelimit_limit": "Requests that the upstream permits in its window",
    "ratelimit_remaining": "Requests that the upstream still permits",
    "retry_after_seconds": "What the upstream's last 429 had in Retry-After, or 0",
}

#: Share of the last answer in the latency.
_WEIGHT = 0.1

#: Distribution calls bytes sent to clients "pushed".
_NAMES = {Count.SERVED_BYTES: "pushed_bytes"}


@attrs.define(eq=False)
class UpstreamFamilies:
    """The families of metrics that all upstreams share."""

    registry: CollectorRegistry
    counters: dict[Count, Counter] = attrs.field(init=False)
    answers: Histogram = attrs.field(init=False)
    fills: Gauge = attrs.field(init=False)
    offline: Gauge = attrs.field(init=False)
    lookups: Lookups = attrs.field(init=False)
    gauges: dict[str, Gauge] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.counters = {what: self._counter(what) for what in Count}
        self.lookups = Lookups(self.registry)
        self.fills = Gauge(
            "registry_proxy_fills_in_flight",
            "Downloads from the upstream in progress",
            registry=self.registry,
        )
        self.offline = Gauge(
            "registry_proxy_offline",
            "1 while no upstream is asked",
            registry=self.registry,
        )
        self.answers = Histogram(
            "registry_proxy_upstream_seconds",
            "Seconds until the upstream's response headers",
            ["upstream", "method", "status"],
            registry=self.registry,
        )

        self.gauges = {
            name: Gauge(
                f"registry_proxy_{name}", help_, ["upstream"], registry=self.registry
            )
            for name, help_ in _GAUGES.items()
        }

    def _counter(self, what: Count) -> Counter:
        return Counter(
            f"registry_proxy_{_NAMES.get(what, what.value)}",
            _HELP[what],
            ["type", "upstream"],
            registry=self.registry,
        )

    def labelled(self, label: str) -> dict[tuple[Count, str], Counter]:
        """Give the counters of one upstream, by what they count and its kind."""
        return {
            (what, kind): family.labels(kind, label)
            for what, family in self.counters.items()
            for kind in _KINDS
        }

    def remove(self, label: str) -> None:
        """Forget what was counted of one upstream."""
        for family in self.counters.values():
            for kind in _KINDS:
                family.remove(kind, label)
        for gauge in self.gauges.values():
            # One that was never set is not there.
            gauge.labels(label)
            gauge.remove(label)
        for metric in self.answers.collect():
            for found in {
                tuple(sample.labels[name] for name in ("upstream", "method", "status"))
                for sample in metric.samples
                if sample.labels["upstream"] == label
            }:
                self.answers.remove(*found)


@implementer(IMeter)
@attrs.define(eq=False)
class UpstreamMeter:
    """Counts what the cache of one upstream does.

    :param label: what it is called in metrics; empty without an upstream.
    """

    _families: UpstreamFamilies
    _label: str
    _counts: dict[tuple[Count, str], Counter] = attrs.field(init=False)
    _totals: dict[Count, float] = attrs.field(init=False)
    _questions: int = 0
    _asked_seconds: float = 0.0
    _latency: float | None = None
    _is_retired: bool = False

    def __attrs_post_init__(self) -> None:
        self._counts = self._families.labelled(self._label)
        self._totals = dict.fromkeys(Count, 0.0)

    def rename(self, label: str) -> None:
        """Label metrics with another name; its counters start at 0."""
        if label != self._label or self._is_retired:
            self.retire()
            self._label, self._counts = label, self._families.labelled(label)
            self._is_retired = False
            self._totals = dict.fromkeys(Count, 0.0)
            self._questions, self._asked_seconds = 0, 0.0
            self._latency = None

    @property
    def label(self) -> str:
        """Return what the upstream is called in metrics."""
        return self._label

    def totals(self) -> dict[Count, float]:
        """Return what was counted so far, of all kinds of content together."""
        return dict(self._totals)

    def questions(self) -> tuple[int, float]:
        """Return how many answers came, and the seconds that they took together."""
        return self._questions, self._asked_seconds

    @property
    def latency(self) -> float | None:
        """Return the seconds until an answer, mostly of the last ten; ``None`` so far.

        Each answer counts a tenth less than the one after it.
        """
        return self._latency

    def retire(self) -> None:
        """Take the upstream out of the metrics: it is no longer configured."""
        if not self._is_retired:
            self._families.remove(self._label)
        self._is_retired = True

    def count(self, what: Count, kind: str, amount: float = 1) -> None:
        """Increase a counter for a kind of content."""
        self._counts[what, kind].inc(amount)
        self._totals[what] += amount
        remember_count(self.count, what, kind, amount)

    def descriptor(self, found: Lookup) -> None:
        """Count a lookup in the descriptor cache."""
        self._families.lookups.count(found)
        remember_count(self.descriptor, found)

    def fills(self, delta: int) -> None:
        """Change the number of downloads in progress."""
        self._families.fills.inc(delta)

    def upstream(self, method: str, status: str, seconds: float) -> None:
        """Record a response of the upstream."""
        if not self._is_retired:
            self._questions += 1
            self._asked_seconds += seconds
            before = seconds if self._latency is None else self._latency
            self._latency = before + _WEIGHT * (seconds - before)
            answers = self._families.answers.labels(self._label, method, status)
            answers.observe(seconds)

    def quota(self, limit: int | None, remaining: int | None) -> None:
        """Record what the upstream says of its rate limit."""
        self._gauge("ratelimit_limit", limit)
        self._gauge("ratelimit_remaining", remaining)

    def retry_after(self, seconds: float) -> None:
        """Record 429 of the upstream."""
        self._gauge("retry_after_seconds", seconds)

    def _gauge(self, name: str, value: float | None) -> None:
        if value is not None and not self._is_retired:
            self._families.gauges[name].labels(self._label).set(value)
