"""A redis that may be down."""

from __future__ import annotations

from twisted.internet.defer import (
    Deferred,
    fail,
    gatherResults,
    succeed,
)
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from txredisapi import ResponseError

from tests.storage.caches.fakes import FakeRedis
from txregistry.flow.redis.client import (
    RETRY_SECONDS,
    RedisAway,
    RedisSettings,
)


class RedisTests(SynchronousTestCase):
    """Questions, and when none is asked."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.redis = FakeRedis(self.clock)

    def test_failures(self) -> None:
        """A lost connection, an error and no answer at all leave it alone a while."""
        for failure in (ConnectionLost(), ResponseError("OOM")):
            self.failureResultOf(
                self.redis.ask(lambda _, e=failure: fail(e)), RedisAway
            )
            self.failureResultOf(self.redis.ask(lambda r: r.sadd("x", "y")), RedisAway)
            self.assertEqual(self.redis.commands.sets, {})
            self.clock.advance(RETRY_SECONDS)
        silent: Deferred[None] = Deferred()
        done = self.redis.ask(lambda _: silent)
        self.clock.advance(2.9)
        self.assertNoResult(done)
        self.clock.advance(0.1)
        self.failureResultOf(done, RedisAway)

    def test_one_of_several(self) -> None:
        """When one of several questions fails, all have."""
        several = [succeed(1), fail(ResponseError("x"))]
        done = self.redis.ask(lambda _: gatherResults(several, consumeErrors=True))
        self.failureResultOf(done, RedisAway)

    def test_mistakes_of_ours(self) -> None:
        """What is no fault of redis is not taken for one."""
        done = self.redis.ask(lambda _: fail(ZeroDivisionError()))
        self.failureResultOf(done, ZeroDivisionError)
        self.assertEqual(self.successResultOf(self.redis.ask(lambda _: succeed(1))), 1)

    def test_not_connected(self) -> None:
        """It is not asked before it is there, nor after the end."""
        self.redis.factory.size = 0
        self.failureResultOf(self.redis.ask(lambda _: succeed(1)), RedisAway)
        ready = self.redis.ready()
        self.clock.advance(1)
        self.assertNoResult(ready)
        self.redis.factory.size = 1
        self.clock.advance(1)
        self.successResultOf(ready)
        self.successResultOf(self.redis.stopService())
        self.failureResultOf(self.redis.ask(lambda _: succeed(1)), RedisAway)

    def test_never_connected(self) -> None:
        """Who waits for it waits no longer than for an answer."""
        self.redis.factory.size = 0
        ready = self.redis.ready()
        self.clock.pump([0.1] * 40)
        self.successResultOf(ready)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_password_is_not_shown(self) -> None:
        """Whoever prints settings does not print the password."""
        settings = RedisSettings(user="ann", password="hunter2")
        self.assertNotIn("hunter2", repr(settings))

    def test_a_replica(self) -> None:
        """A server that takes no writes any more is left for the new master."""
        factory = self.redis.factory
        self.failureResultOf(
            self.redis.ask(lambda _: fail(ResponseError("OOM"))), RedisAway
        )
        self.assertEqual(factory.reconnects, 0)
        self.clock.advance(RETRY_SECONDS)
        error = ResponseError("READONLY You can't write against a read only replica.")
        self.failureResultOf(self.redis.ask(lambda _: fail(error)), RedisAway)
        self.assertEqual(factory.reconnects, 1)
        told = "ERR Error running script (call to f_1): @user_script: 1: -READONLY You"
        for number, text in enumerate((told, "MASTERDOWN Link with MASTER is down")):
            self.clock.advance(RETRY_SECONDS)
            error = ResponseError(text)
            asked = self.redis.ask(lambda _, error=error: fail(error))
            self.failureResultOf(asked, RedisAway)
            self.assertEqual(factory.reconnects, number + 2)
