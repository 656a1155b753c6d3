"""Metrics of scrubs."""

from __future__ import annotations

import attrs
from prometheus_client import CollectorRegistry, Counter, Gauge
from zope.interface import implementer

from txregistry.interfaces.scrub import IScrubMeter, ScrubOutcome

_DAMAGED = (ScrubOutcome.HEALED, ScrubOutcome.SET_ASIDE, ScrubOutcome.STUCK)


@implementer(IScrubMeter)
@attrs.define(eq=False)
class ScrubMetrics:
    """The counters and gauges; all of them are there from the start."""

    _registry: CollectorRegistry
    _bytes: Counter = attrs.field(init=False)
    _counters: dict[ScrubOutcome, tuple[Counter, ...]] = attrs.field(init=False)
    _progress: Gauge = attrs.field(init=False)
    _ended: Gauge = attrs.field(init=False)
    _unresolved: Gauge = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._bytes = self._counter("bytes", "Bytes that scrubs have read")
        damaged = self._counter("damaged", "Content that did not match its digest")
        healed = self._counter("healed", "Damaged content that was fetched again")
        unreadable = self._counter("unreadable", "Content that the disk did not give")
        missing = self._counter("missing", "Content that is linked and not there")
        self._counters = {
            **dict.fromkeys(_DAMAGED, (damaged,)),
            ScrubOutcome.HEALED: (damaged, healed),
            ScrubOutcome.UNREADABLE: (unreadable,),
            ScrubOutcome.MISSING: (missing,),
        }
        self._progress = self._gauge(
            "progress_ratio", "How far the pass under way has come; 0 without one"
        )
        self._ended = self._gauge(
            "last_pass_timestamp_seconds", "When a pass was completed; 0 for never"
        )
        self._unresolved = self._gauge(
            "last_pass_unresolved",
            "What that pass found damaged, missing or unreadable and did not heal",
        )

    def read(self, size: int) -> None:
        """Count bytes."""
        self._bytes.inc(size)

    def found(self, outcome: ScrubOutcome) -> None:
        """Count a finding."""
        for counter in self._counters[outcome]:
            counter.inc()

    def progress(self, fraction: float) -> None:
        """Record how far the pass under way has come."""
        self._progress.set(fraction)

    def ended(self, at: float, unresolved: int) -> None:
        """Record a complete pass."""
        self._ended.set(at)
        self._unresolved.set(unresolved)

    def _counter(self, name: str, described: str) -> Counter:
        return Counter(f"registry_scrub_{name}", described, registry=self._registry)

    def _gauge(self, name: str, described: str) -> Gauge:
        return Gauge(f"registry_scrub_{name}", described, registry=self._registry)
