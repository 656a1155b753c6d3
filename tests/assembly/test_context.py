"""The context of one process."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.assembly.context import make_context
from txregistry.config.read import read_config


class ContextTests(SynchronousTestCase):
    """What all parts are built with."""

    def test_clock(self) -> None:
        """It shows the time of day that is given, else that of the reactor."""
        config, _ = read_config({"version": "0.1", "storage": "inmemory"})
        reactor = Clock()
        reactor.advance(5)
        given = make_context(config, reactor, {"A": "b"}, lambda: 0.5, lambda: 1000.0)
        self.assertEqual(given.clock.seconds(), 1000.0)
        default = make_context(config, reactor, {}, lambda: 0.5)
        self.assertEqual(default.clock.seconds(), 5.0)
        self.assertEqual((given.environment, given.jitter()), ({"A": "b"}, 0.5))
        self.assertIsNot(given.metrics.registry, default.metrics.registry)
