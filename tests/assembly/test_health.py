"""Health checks, as configured."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.reactors import MemoryReactorClock
from txregistry.assembly.health import health_checks
from txregistry.config.read import read_config
from txregistry.health.checks import Check
from txregistry.storagedriver.inmemory import MemoryDriver


class HealthTests(SynchronousTestCase):
    """One check for each that is configured."""

    def checks(self, **health: Any) -> list[Check]:
        given = {"version": "0.1", "storage": "inmemory", "health": health}
        config, _ = read_config(given)
        self.reactor = MemoryReactorClock()
        driver = MemoryDriver(Clock())
        return list(health_checks(config.health, driver, self.reactor))

    def test_none(self) -> None:
        """Nothing is looked at unless it is configured."""
        self.assertEqual(self.checks(), [])
        self.assertEqual(self.checks(storagedriver={"enabled": False}), [])

    def test_names(self) -> None:
        """Each is named by what it looks at, without secrets."""
        found = self.checks(
            storagedriver={"enabled": True},
            file=[{"file": "/run/down"}],
            http=[{"uri": "http://u:hush@a.example/up?t=hush"}],
            tcp=[{"addr": "a.example:80"}],
        )
        self.assertEqual(
            [check.name for check in found],
            [
                "storagedriver_inmemory",
                "/run/down",
                "http://a.example/up?********",
                "a.example:80",
            ],
        )
        self.assertNotIn("hush", repr([check.name for check in found]))

    def test_nothing_is_looked_at_yet(self) -> None:
        """Making them connects to nothing, and starts no timer."""
        self.checks(tcp=[{"addr": "127.0.0.1:80"}])
        self.assertEqual(self.reactor.tcpClients, [])
        self.assertEqual(self.reactor.getDelayedCalls(), [])
