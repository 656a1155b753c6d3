"""When content of each upstream expires."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.assembly.expiry import expiry_plan
from txregistry.config.proxy import Proxy, Upstream
from txregistry.spec.reference import RepositoryName
from txregistry.testing.house import TestHouse


class PlanTests(SynchronousTestCase):
    """From the configuration."""

    def test_times(self) -> None:
        """Each upstream has its own time, local repositories none."""
        proxy = Proxy(
            remoteurl="http://x.example",
            ttl=100.0,
            upstreams={"corp": Upstream(ttl=50.0)},
            local=("team/**",),
        )
        plan = expiry_plan(proxy, TestHouse().stored)
        for name, ttl in (("a", 100.0), ("corp/a", 50.0), ("team/a", 0.0)):
            self.assertEqual(plan.ttl_of(RepositoryName.parse(name)), ttl)

    def test_registry(self) -> None:
        """What is no cache is not local to one either."""
        plan = expiry_plan(Proxy(), TestHouse().stored)
        self.assertFalse(plan.is_kept(RepositoryName.parse("a")))
