"""Health checks: when they look, and what counts."""

from __future__ import annotations

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.health.checks import Check, Health
from txregistry.health.probes import Unhealthy
from txregistry.interfaces.health import IHealth


class Probed:
    """A probe that finds what it is told to, and counts."""

    def __init__(self) -> None:
        self.looks = 0
        self.error: Exception | None = None
        self.hanging: list[Deferred[None]] = []
        self.hangs = False
        self.cancelled = 0

    def __call__(self) -> Deferred[None]:
        self.looks += 1
        if self.hangs:
            self.hanging.append(Deferred(self.cancel))
            return self.hanging[-1]
        return succeed(None) if self.error is None else fail(self.error)

    def cancel(self, _: Deferred[None]) -> None:
        self.cancelled += 1


class CheckCase(SynchronousTestCase):
    """One check every ten seconds."""

    threshold = 3

    def setUp(self) -> None:
        self.clock = Clock()
        self.probe = Probed()
        self.check = Check("thing", self.probe, 10.0, self.threshold, 5.0, self.clock)
        self.health = Health((self.check,), self.clock)
        self.health.startService()
        self.addCleanup(self.stop)

    def stop(self) -> None:
        if self.health.running:
            self.health.stopService()

    def looks(self, times: int) -> None:
        """Let an interval pass, this many times."""
        for _ in range(times):
            self.clock.advance(10)


class RenewTests(CheckCase):
    """Other checks in the place of these."""

    def test_running(self) -> None:
        """Those of before look no more, and what they have found is forgotten."""
        self.probe.error = Unhealthy("broken")
        self.looks(3)
        self.assertFalse(self.health.healthy)
        other = Probed()
        self.health.renew((Check("b", other, 1.0, 1, 5.0, self.clock),))
        self.assertTrue(self.health.healthy)
        self.clock.advance(20)
        self.assertEqual((self.probe.looks, other.looks), (3, 1))
        self.health.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_not_running(self) -> None:
        """Nothing looks before the start."""
        self.health.stopService()
        self.health.renew(())
        self.assertEqual(self.clock.getDelayedCalls(), [])


class CheckTests(CheckCase):
    """When a check counts."""

    def test_contract(self) -> None:
        """It tells whether all is well."""
        verifyObject(IHealth, self.health)

    def test_no_checks(self) -> None:
        """Without checks all is well."""
        health = Health((), self.clock)
        self.assertTrue(health.healthy)
        self.assertEqual(health.problems(), {})

    def test_first_look(self) -> None:
        """The first look is one interval after the start, and none before."""
        self.clock.advance(9.9)
        self.assertEqual(self.probe.looks, 0)
        self.clock.advance(0.2)
        self.assertEqual(self.probe.looks, 1)

    def test_healthy_until_it_has_looked(self) -> None:
        """Before the first look all is well."""
        self.probe.error = Unhealthy("broken")
        self.clock.advance(5)
        self.assertTrue(self.health.healthy)

    def test_every_interval(self) -> None:
        """It looks once per interval."""
        self.looks(7)
        self.assertEqual(self.probe.looks, 7)

    def test_threshold(self) -> None:
        """Only as many failures in a row as the threshold says count."""
        self.probe.error = Unhealthy("broken")
        self.looks(2)
        self.assertTrue(self.health.healthy)
        self.looks(1)
        self.assertFalse(self.health.healthy)
        self.assertEqual(self.health.problems(), {"thing": "broken"})

    def test_success_resets(self) -> None:
        """One success in between begins the count anew."""
        for error in (Unhealthy("a"), Unhealthy("b"), None, Unhealthy("c"), None):
            self.probe.error = error
            self.looks(1)
        self.probe.error = Unhealthy("d")
        self.looks(2)
        self.assertTrue(self.health.healthy)
        self.looks(1)
        self.assertFalse(self.health.healthy)

    def test_one_success_heals(self) -> None:
        """However long it failed, one success is enough."""
        self.probe.error = Unhealthy("broken")
        self.looks(20)
        self.probe.error = None
        self.looks(1)
        self.assertTrue(self.health.healthy)
        self.assertEqual(self.health.problems(), {})

    def test_timeout(self) -> None:
        """A probe that does not answer in time has failed, and is given up."""
        self.probe.hangs = True
        self.clock.advance(10)
        self.clock.advance(5)
        self.assertEqual(self.probe.cancelled, 1)
        self.looks(6)
        self.assertFalse(self.health.healthy)
        self.assertIn("5 s", self.health.problems()["thing"])

    def test_slow_probe_is_not_doubled(self) -> None:
        """No second look begins while one is under way."""
        slow = Check("slow", self.probe, 10.0, 1, 100.0, self.clock)
        self.health.stopService()
        self.health = Health((slow,), self.clock)
        self.health.startService()
        self.probe.hangs = True
        self.looks(5)
        self.assertEqual(self.probe.looks, 1)

    def test_late_answer(self) -> None:
        """An answer that comes after the time is over changes nothing."""
        self.probe.hangs = True
        self.clock.advance(10)
        self.clock.advance(5)
        self.assertTrue(self.probe.hanging[0].called)

    def test_raising_probe(self) -> None:
        """A probe that raises has failed, and the next look comes all the same."""
        raising = Check("raises", self.raises, 10.0, 1, 5.0, self.clock)
        self.health.stopService()
        self.health = Health((raising,), self.clock)
        self.health.startService()
        self.looks(3)
        self.assertEqual(self.health.problems(), {"raises": "boom"})
        self.assertEqual(self.probe.looks, 3)

    def raises(self) -> Deferred[None]:
        self.probe.looks += 1
        raise RuntimeError("boom")

    def test_error_without_text(self) -> None:
        """An error that says nothing is named by its kind."""
        self.probe.error = RuntimeError()
        self.looks(3)
        self.assertEqual(self.health.problems(), {"thing": "RuntimeError"})

    def test_several(self) -> None:
        """One check that fails is enough; the others are not named."""
        other = Probed()
        other.error = Unhealthy("gone")
        self.health.stopService()
        checks = (
            Check("well", Probed(), 10.0, 1, 5.0, self.clock),
            Check("ill", other, 10.0, 1, 5.0, self.clock),
        )
        self.health = Health(checks, self.clock)
        self.health.startService()
        self.looks(1)
        self.assertFalse(self.health.healthy)
        self.assertEqual(self.health.problems(), {"ill": "gone"})

    def test_stop(self) -> None:
        """A stopped service looks no more and leaves no timers."""
        self.looks(1)
        self.health.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.looks(3)
        self.assertEqual(self.probe.looks, 1)

    def test_stop_during_a_look(self) -> None:
        """A stop while a probe is under way gives it up and leaves no timers."""
        self.probe.hangs = True
        self.clock.advance(10)
        self.health.stopService()
        self.assertEqual(self.probe.cancelled, 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_start_again(self) -> None:
        """A service that was stopped can be started again."""
        self.health.stopService()
        self.health.startService()
        self.looks(2)
        self.assertEqual(self.probe.looks, 2)


class ThresholdOfNoneTests(CheckCase):
    """The default threshold, which is nought."""

    threshold = 0

    def test_first_failure_counts(self) -> None:
        """A threshold of nought or one means that the first failure counts."""
        self.probe.error = Unhealthy("broken")
        self.looks(1)
        self.assertFalse(self.health.healthy)
