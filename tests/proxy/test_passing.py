"""What cannot be stored is told of, now and then."""

from __future__ import annotations

from twisted.logger import LogLevel, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from txregistry.observe.metrics import Metrics
from txregistry.proxy.passing import WARNING_SECONDS, Passing
from txregistry.spec.errors import CacheFull


class PassingTests(SynchronousTestCase):
    """A warning a minute, and a count of each."""

    def test_refusal(self) -> None:
        """What was refused is not tried for some seconds, whatever the clock does."""
        passing = Passing()
        self.assertFalse(passing.expects_refusal(0.0))
        passing.refused(100.0)
        expected = [passing.expects_refusal(at) for at in (100.0, 104.9, 105.0, 99.0)]
        self.assertEqual(expected, [True, True, False, False])

    def test_check(self) -> None:
        """Nothing begins for a moment after a refusal; what does not is counted."""
        metrics, passing = Metrics("u"), Passing()
        passing.check(metrics, 100.0)
        passing.refused(100.0)
        self.assertRaises(CacheFull, passing.check, metrics, 101.0)
        passing.check(metrics, 105.0)
        labels = {"type": "blob", "upstream": "u"}
        count = metrics.registry.get_sample_value(
            "registry_proxy_unstored_total", labels
        )
        self.assertEqual(count, 1)

    def test_tell(self) -> None:
        """However much is not stored, the log gets a line a minute."""
        events: list[dict] = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        metrics, passing = Metrics("u"), Passing()
        for second in range(100):
            passing.tell(metrics, "blob", OSError("full"), 1000.0 + second)
        warnings = [x for x in events if x["log_level"] is LogLevel.warn]
        self.assertEqual([x["count"] for x in warnings], [1, WARNING_SECONDS])
        labels = {"type": "blob", "upstream": "u"}
        count = metrics.registry.get_sample_value(
            "registry_proxy_unstored_total", labels
        )
        self.assertEqual(count, 100)

    def test_clock_set_back(self) -> None:
        """A clock that is set back by an hour silences nothing for that hour."""
        events: list[dict] = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        metrics, passing = Metrics("u"), Passing()
        for now in (10_000.0, 6_400.0, 6_401.0):
            passing.tell(metrics, "blob", OSError("full"), now)
        warnings = [x for x in events if x["log_level"] is LogLevel.warn]
        self.assertEqual([x["count"] for x in warnings], [1, 1])
