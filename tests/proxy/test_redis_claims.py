"""Which of several nodes downloads a blob."""

from __future__ import annotations

from fakeredis import FakeServer
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.flow.redis.fakes import ScriptedRedis
from txregistry.interfaces.fills import IDownloadClaims
from txregistry.proxy.redis_claims import (
    CLAIM_SECONDS,
    RENEW_SECONDS,
    WAIT_SECONDS,
    RedisClaims,
)
from txregistry.spec.digest import Digest

DIGEST, OTHER = Digest.of(b"x"), Digest.of(b"y")


class RedisClaimsTests(SynchronousTestCase):
    """Two nodes with one redis."""

    def setUp(self) -> None:
        self.clock, self.server = Clock(), FakeServer()
        self.here, self.there = self.node(), self.node()

    def node(self) -> RedisClaims:
        claims = RedisClaims(ScriptedRedis(self.clock, self.server), self.clock)
        claims.startService()
        self.addCleanup(lambda: claims.running and claims.stopService())
        return claims

    def redis_of(self, claims: RedisClaims):
        return claims._redis.connected

    def lapse(self) -> None:
        """Let the time of claims pass: redis measures it by its own clock."""
        client = self.redis_of(self.here).handler.client
        for key in client.keys("*"):
            self.assertLessEqual(client.pttl(key), CLAIM_SECONDS * 1000)
            self.assertGreater(client.pttl(key), 0)
            client.delete(key)

    def may(self, done: Deferred[bool]) -> bool:
        return self.successResultOf(done)

    def test_provides_the_interface(self) -> None:
        """It is what it says."""
        verifyObject(IDownloadClaims, self.here)

    def test_the_other_one_waits(self) -> None:
        """Of two nodes one downloads; the other one looks again at the end of that."""
        self.assertTrue(self.may(self.here.acquire(digest=DIGEST)))
        self.here.hold(digest=DIGEST)
        waiting = self.there.acquire(digest=DIGEST)
        also = self.there.acquire(digest=DIGEST)
        self.assertTrue(self.may(self.there.acquire(digest=OTHER)))
        self.clock.pump([0.5] * 10)
        self.assertNoResult(waiting)
        self.here.release(digest=DIGEST)
        self.clock.advance(1.0)
        self.assertFalse(self.may(waiting))
        self.assertFalse(self.may(also))
        # Nothing was stored: now this one may, and the first one waits.
        self.assertTrue(self.may(self.there.acquire(digest=DIGEST)))
        self.assertNoResult(self.here.acquire(digest=DIGEST))

    def test_no_node_waits_for_one_that_has_waited(self) -> None:
        """All who wait look again at the end, and none holds up the others."""
        self.assertTrue(self.may(self.here.acquire(digest=DIGEST)))
        self.here.hold(digest=DIGEST)
        nodes = self.there, self.node(), self.node()
        waiting = [node.acquire(digest=DIGEST) for node in nodes]
        self.here.release(digest=DIGEST)
        self.clock.advance(1.0)
        self.assertEqual([self.may(done) for done in waiting], [False] * 3)
        self.assertTrue(self.may(self.here.acquire(digest=DIGEST)))

    def test_what_was_released_is_not_renewed(self) -> None:
        """A round of renewals that is under way takes back nothing."""
        for digest in (DIGEST, OTHER):
            self.assertTrue(self.may(self.here.acquire(digest=digest)))
            self.here.hold(digest=digest)
        take, taken = self.here._take, []

        def release_the_rest(digest: Digest) -> Deferred[bool]:
            taken.append(digest)
            for other in {DIGEST, OTHER} - set(taken):
                self.here.release(digest=other)
            return take(digest)

        self.patch(RedisClaims, "_take", lambda _, digest: release_the_rest(digest))
        self.clock.advance(RENEW_SECONDS)
        self.assertEqual(len(taken), 1)

    def test_a_node_waits_for_itself_never(self) -> None:
        """What it has acquired it may acquire again."""
        for _ in range(2):
            self.assertTrue(self.may(self.here.acquire(digest=DIGEST)))

    def test_renewed(self) -> None:
        """A claim that is held is renewed; one that is not lapses."""
        self.assertTrue(self.may(self.here.acquire(digest=DIGEST)))
        self.here.hold(digest=DIGEST)
        self.assertTrue(self.may(self.here.acquire(digest=OTHER)))
        self.lapse()
        self.clock.advance(RENEW_SECONDS)
        self.assertNoResult(self.there.acquire(digest=DIGEST))
        self.assertTrue(self.may(self.there.acquire(digest=OTHER)))

    def test_a_dead_node(self) -> None:
        """Its claims lapse, and others look again."""
        self.assertTrue(self.may(self.here.acquire(digest=DIGEST)))
        self.here.hold(digest=DIGEST)
        waiting = self.there.acquire(digest=DIGEST)
        self.here.stopService()
        self.clock.advance(RENEW_SECONDS)
        self.lapse()
        self.clock.advance(1.0)
        self.assertFalse(self.may(waiting))

    def test_no_longer_than_the_limit(self) -> None:
        """After a minute a node downloads what another one still downloads."""
        self.assertTrue(self.may(self.here.acquire(digest=DIGEST)))
        self.here.hold(digest=DIGEST)
        waiting = self.there.acquire(digest=DIGEST)
        self.clock.pump([1.0] * int(WAIT_SECONDS - 1))
        self.assertNoResult(waiting)
        self.clock.pump([1.0] * 2)
        self.assertTrue(self.may(waiting))
        # What ends there takes nothing from the first one.
        self.there.release(digest=DIGEST)
        self.assertNoResult(self.there.acquire(digest=DIGEST))

    def test_foreign_keys(self) -> None:
        """What something else has left under the name of a claim holds nobody back."""
        client = self.redis_of(self.here).handler.client
        key = f"txregistry::download::{DIGEST}"
        for write in (client.set, client.lpush):
            client.delete(key)
            write(key, "x")
            self.assertTrue(self.may(self.here.acquire(digest=DIGEST)))
            self.assertFalse(self.here._redis._retry_at)
            waiting = self.there.acquire(digest=DIGEST)
            client.delete(key)
            write(key, "x")
            self.clock.advance(1.0)
            self.assertFalse(self.may(waiting))
            self.here.release(digest=DIGEST)
            self.assertFalse(self.here._redis._retry_at)

    def test_redis_away(self) -> None:
        """Each node goes on alone, also one that waits already."""
        self.assertTrue(self.may(self.here.acquire(digest=DIGEST)))
        waiting = self.there.acquire(digest=DIGEST)
        self.redis_of(self.there).size = 0
        self.clock.advance(1.0)
        self.assertFalse(self.may(waiting))
        self.assertTrue(self.may(self.there.acquire(digest=DIGEST)))
        self.there.hold(digest=DIGEST)
        self.clock.advance(RENEW_SECONDS)
        self.there.release(digest=DIGEST)

    def test_who_leaves_before_redis_has_answered(self) -> None:
        """What redis was told by then is taken back, unless it is held."""
        take = RedisClaims._take

        def unanswered(claims: RedisClaims, digest: Digest) -> Deferred[bool]:
            self.assertTrue(self.may(take(claims, digest)))
            return Deferred()

        self.here.hold(digest=OTHER)
        patched = self.patch(RedisClaims, "_take", unanswered)
        for digest in (DIGEST, OTHER):
            acquiring = self.here.acquire(digest=digest)
            acquiring.cancel()
            self.failureResultOf(acquiring)
        patched.restore()
        self.assertTrue(self.may(self.there.acquire(digest=DIGEST)))
        self.assertNoResult(self.there.acquire(digest=OTHER))

    def test_who_leaves(self) -> None:
        """A wait that is cancelled leaves no timer behind."""
        self.assertTrue(self.may(self.here.acquire(digest=DIGEST)))
        before = len(self.clock.getDelayedCalls())
        waiting = self.there.acquire(digest=DIGEST)
        waiting.cancel()
        self.failureResultOf(waiting)
        self.assertEqual(len(self.clock.getDelayedCalls()), before)
