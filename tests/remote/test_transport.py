"""How an upstream is connected to."""

from __future__ import annotations

from collections.abc import Mapping

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import Agent, HTTPConnectionPool
from twisted.web.iweb import IAgent

from txregistry.remote.egress import ProxiedAgent
from txregistry.remote.targets import make_targets
from txregistry.remote.transport import TlsFiles, make_core_agent


class CoreAgentTests(SynchronousTestCase):
    """Directly, or through a proxy."""

    def agent(self, environment: Mapping[str, str]) -> IAgent:
        reactor = MemoryReactorClock()
        pool = HTTPConnectionPool(reactor)
        targets = make_targets(reactor, "https://a", (), ())
        return make_core_agent(reactor, pool, TlsFiles(), 5.0, environment, targets)

    def test_direct(self) -> None:
        """Without a variable it is asked directly."""
        self.assertIsInstance(self.agent({"NO_PROXY": "*"}), Agent)

    def test_proxy(self) -> None:
        """With one it is asked through the proxy; one that is none is refused."""
        self.assertIsInstance(self.agent({"https_proxy": "p:1"}), ProxiedAgent)
        self.assertRaises(ValueError, self.agent, {"HTTPS_PROXY": "socks5://p"})
