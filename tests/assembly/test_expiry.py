"""When content of each upstream expires."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.namespaces import shared_house
from txregistry.assembly.expiry import expiry_plan, news_of_ttl
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


class NewsTests(SynchronousTestCase):
    """What another ``proxy.ttl`` means."""

    def test_of_one_process(self) -> None:
        """It applies to what is cached already."""
        local = TestHouse().stored
        told = news_of_ttl(7200.0, local)
        self.assertIn("what was not used for 2h is deleted", told)
        self.assertIn("none of it expires", news_of_ttl(0.0, local))
        self.assertEqual(expiry_plan(Proxy(ttl=7200.0), local).ttl_seconds, 7200.0)

    def test_of_several(self) -> None:
        """It has no effect where the ledger does not have the uses of all."""
        local = shared_house(self.mktemp()).stored
        self.assertIn("has no effect", news_of_ttl(7200.0, local))
        self.assertIn("none of it expires", news_of_ttl(0.0, local))
        local.databases.ledger.is_shared = True
        self.assertIn("is deleted", news_of_ttl(7200.0, local))
