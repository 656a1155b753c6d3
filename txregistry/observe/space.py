"""Metrics of the room on the disk of a cache."""

from __future__ import annotations

import attrs
from prometheus_client import CollectorRegistry, Gauge
from zope.interface import implementer

from txregistry.interfaces.eviction import ISpaceMeter, SpaceUsage


@implementer(ISpaceMeter)
@attrs.define(eq=False)
class SpaceMetrics:
    """Gauges, as of the last look; none of them is there before the first one."""

    _registry: CollectorRegistry
    _gauges: dict[str, Gauge] = attrs.field(factory=dict)

    def measured(self, usage: SpaceUsage, limit: int, keep_free: int) -> None:
        """Record what was measured."""
        self._set("stored_bytes", "Bytes of cached content", usage.stored)
        self._set(
            "partial_bytes",
            "Bytes of downloads that are not complete, at their announced sizes",
            usage.partial,
        )
        self._set("limit_bytes", "Bytes that both may take; 0 for no limit", limit)
        self._set("keep_free_bytes", "Bytes that stay free on the disk", keep_free)
        if usage.disk is not None:
            self._set("free_bytes", "Bytes that are free on the disk", usage.disk.free)

    def _set(self, name: str, described: str, value: int) -> None:
        gauge = self._gauges.get(name)
        if gauge is None:
            full = f"registry_proxy_disk_{name}"
            gauge = Gauge(full, described, registry=self._registry)
            self._gauges[name] = gauge
        gauge.set(value)
