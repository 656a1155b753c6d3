"""What nodes share is in redis, where there are others."""

from __future__ import annotations

from unittest.mock import Mock

from twisted.application.service import MultiService
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txregistry.assembly.caches import _claims
from txregistry.assembly.context import make_context
from txregistry.assembly.storage import _ledger
from txregistry.config.read import read_config
from txregistry.expiry.ledger_redis import RedisLedger
from txregistry.expiry.ledger_sqlite import SqliteLedger
from txregistry.flow.disk import InlineDisk
from txregistry.proxy.claims import OneNode
from txregistry.proxy.redis_claims import RedisClaims


class NodesTests(SynchronousTestCase):
    """With and without redis, alone and not."""

    def parts(self, *, is_shared: bool, has_redis: bool):
        config = read_config({"version": "0.1", "storage": {"inmemory": {}}})[0]
        context = make_context(config, Clock(), {}, lambda: 0.5)
        redis = Mock() if has_redis else None
        local = Mock()
        local.driver.is_shared = is_shared
        ledger = _ledger(context, is_shared, redis, InlineDisk())
        return ledger, _claims(context, local, redis, MultiService())

    def test_together(self) -> None:
        """With both, all ask redis."""
        ledger, claims = self.parts(is_shared=True, has_redis=True)
        self.assertIsInstance(ledger, RedisLedger)
        self.assertIsInstance(claims, RedisClaims)

    def test_alone(self) -> None:
        """A redis that caches descriptors of one process alone has nothing else."""
        for is_shared, has_redis in ((False, True), (True, False), (False, False)):
            ledger, claims = self.parts(is_shared=is_shared, has_redis=has_redis)
            self.assertIsInstance(ledger, SqliteLedger)
            self.assertIsInstance(claims, OneNode)
