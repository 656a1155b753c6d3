"""Metrics of scrubs."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.interfaces.scrub import IScrubMeter, ScrubOutcome
from txregistry.observe.metrics import Metrics


class ScrubMetricsTests(SynchronousTestCase):
    """All are there from the start."""

    def setUp(self) -> None:
        self.metrics = Metrics("")

    def value(self, name: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"registry_scrub_{name}")

    def test_outcomes(self) -> None:
        """Each finding counts where it belongs."""
        verifyObject(IScrubMeter, self.metrics.scrub)
        names = [f"{x}_total" for x in ("damaged", "healed", "unreadable", "missing")]
        self.assertEqual([self.value(name) for name in names], [0, 0, 0, 0])
        for outcome in ScrubOutcome:
            self.metrics.scrub.found(outcome)
        self.assertEqual([self.value(name) for name in names], [3, 1, 1, 1])

    def test_progress(self) -> None:
        """Bytes, how far it has come, and when it ended."""
        self.metrics.scrub.read(5)
        self.metrics.scrub.progress(0.25)
        self.metrics.scrub.ended(1234.0, 2)
        self.assertEqual(self.value("last_pass_unresolved"), 2)
        self.assertEqual(self.value("bytes_total"), 5)
        self.assertEqual(self.value("progress_ratio"), 0.25)
        self.assertEqual(self.value("last_pass_timestamp_seconds"), 1234.0)
