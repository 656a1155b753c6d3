"""Metrics of requests, under distribution's names."""

from __future__ import annotations

import attrs
from prometheus_client import CollectorRegistry, Counter, Histogram
from zope.interface import implementer

from txregistry.interfaces.observe import Exchange, IExchangeObserver

_Children = tuple[Counter, Histogram, Counter]

#: Any other method counts as ``other``: a client may choose any text.
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))


@implementer(IExchangeObserver)
@attrs.define(eq=False)
class ExchangeMetrics:
    """Counts requests, their durations and the sizes of their responses."""

    _registry: CollectorRegistry
    _requests: Counter = attrs.field(init=False)
    _durations: Histogram = attrs.field(init=False)
    _sizes: Counter = attrs.field(init=False)
    _children_by_key: dict[tuple[str, str, int], _Children] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self._requests = Counter(
            "registry_http_requests",
            "Requests answered",
            ["handler", "method", "code"],
            registry=self._registry,
        )
        self._durations = Histogram(
            "registry_http_request_duration_seconds",
            "Seconds until the last byte of the response",
            ["handler", "method"],
            registry=self._registry,
        )
        self._sizes = Counter(
            "registry_http_response_size_bytes",
            "Bytes of response bodies",
            ["handler"],
            registry=self._registry,
        )

    def ended(self, exchange: Exchange) -> None:
        """Count an exchange."""
        requests, durations, sizes = self._children(
            exchange.handler, exchange.method, exchange.status
        )
        requests.inc()
        durations.observe(exchange.seconds)
        sizes.inc(exchange.sent_bytes)

    def _children(self, handler: str, method: str, status: int) -> _Children:
        # Looking up labels costs more than counting; there are few combinations.
        key = (handler, method if method in _METHODS else "other", status)
        found = self._children_by_key.get(key)
        if found is None:
            found = self._children_by_key[key] = (
                self._requests.labels(key[0], key[1], str(status)),
                self._durations.labels(key[0], key[1]),
                self._sizes.labels(key[0]),
            )
        return found
