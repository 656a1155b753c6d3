"""Two nodes of one cache: one storage, one redis, and an upstream behind each."""

from __future__ import annotations

import os
from typing import Any

from fakeredis import FakeServer
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.flow.redis.fakes import ScriptedRedis
from txregistry.eviction.plan import SpacePlan
from txregistry.expiry.ledger_redis import RedisLedger
from txregistry.proxy.redis_claims import CLAIM_SECONDS, WAIT_SECONDS, RedisClaims
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName
from txregistry.storage.tree import layout
from txregistry.storagedriver.inmemory import MemoryDriver
from txregistry.testing.answers import Got
from txregistry.testing.house import TestHouse
from txregistry.testing.repositories import image_manifest
from txregistry.testing.upstream import Fault

SIZE = 1_000_000
TAG = "/v2/a/manifests/v1"


class NodesTests(SynchronousTestCase):
    """What one node does for the other."""

    def setUp(self) -> None:
        self.clock, self.server = Clock(), FakeServer()
        self.clock.advance(1_700_000_000)
        self.driver = MemoryDriver(self.clock, is_shared=True)
        self.content = os.urandom(SIZE)
        self.here, self.there = self.node(), self.node()
        self.nodes = self.here, self.there

    def node(self, **settings: Any) -> TestHouse:
        redis = ScriptedRedis(self.clock, self.server)
        claims = RedisClaims(redis, self.clock)
        claims.startService()
        self.addCleanup(lambda: claims.running and claims.stopService())
        house = TestHouse(
            clock=self.clock,
            driver=self.driver,
            given_ledger=RedisLedger(redis, self.clock),
            claims=claims,
            spool=MemoryDriver(self.clock),
            **settings,
        )
        self.digest = house.upstream.add_blob("a", self.content)
        house.upstream.rate = SIZE // 2
        house.upstream.add_manifest("a", image_manifest(), "v1")
        return house

    def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.02)):
            for house in self.nodes:
                house.pump()
            self.clock.advance(0.02)
        for house in self.nodes:
            house.pump()

    def ask(self, house: TestHouse, name: str = "a") -> Deferred[Got]:
        return house.ask("GET", f"/v2/{name}/blobs/{self.digest}")

    def downloads(self) -> list[int]:
        return [house.upstream.count("GET", "/blobs/") for house in self.nodes]

    def test_one_download(self) -> None:
        """However many clients of both nodes ask, one node downloads."""
        asked = [self.ask(house) for house in self.nodes * 8]
        self.pass_time(5)
        for done in asked:
            self.assertEqual(self.successResultOf(done).body, self.content)
        self.assertEqual(self.downloads(), [1, 0])

    def test_room(self) -> None:
        """A limit holds for what all nodes have stored, and any of them makes room."""
        space = SpacePlan(5 * SIZE // 2)
        self.nodes = self.here, self.there = (
            self.node(space=space),
            self.node(space=space),
        )
        for house in self.nodes:
            house.scheduler.startService()
            house.room.startService()
        pulled = []
        for number, house in enumerate((self.here, self.there, self.here)):
            content = os.urandom(SIZE)
            pulled.append(house.upstream.add_blob("a", content))
            asked = house.ask("GET", f"/v2/a/blobs/{pulled[number]}")
            self.pass_time(5)
            self.assertEqual(self.successResultOf(asked).body, content)
        paths = self.driver.paths()
        stored = [layout.blob_data(digest) in paths for digest in pulled]
        self.assertEqual(stored, [False, True, True])
        for house in self.nodes:
            taken = self.successResultOf(house.ledger.stored())
            self.assertEqual(taken, 2 * SIZE)
            self.successResultOf(house.room.stopService())
            self.successResultOf(house.scheduler.stopService())

    def test_each_repository_is_confirmed(self) -> None:
        """A node that waits does not give what the upstream refuses its repository."""
        asked, refused = self.ask(self.here), self.ask(self.there, "b")
        self.pass_time(5)
        self.assertEqual(self.successResultOf(asked).body, self.content)
        self.assertEqual(self.successResultOf(refused).status, 404)
        gets = [house.upstream.count("GET", "/v2/a/blobs/") for house in self.nodes]
        self.assertEqual(sum(gets), 1)

    def test_a_download_that_fails(self) -> None:
        """The other node tries itself, when the first one has given up."""
        self.here.upstream.faults.append(Fault("/blobs/", 100, "GET", status=500))
        asked = self.ask(self.here)
        self.pass_time(0.1)
        other = self.ask(self.there)
        self.pass_time(30)
        self.assertNotEqual(self.successResultOf(asked).status, 200)
        self.assertEqual(self.successResultOf(other).body, self.content)

    def test_a_node_that_dies(self) -> None:
        """Its claim lapses, and the other node downloads."""
        self.ask(self.here)
        self.pass_time(0.5)
        asked = self.ask(self.there)
        self.nodes = (self.there,)
        self.here.fills._claims.stopService()
        self.pass_time(0.5)
        self.assertNoResult(asked)
        # Redis measures the claim by its own clock.
        client = ScriptedRedis(self.clock, self.server).connected.handler.client
        (key,) = client.keys("*download*")
        self.assertLessEqual(client.pttl(key), CLAIM_SECONDS * 1000)
        client.delete(key)
        self.pass_time(5)
        self.assertEqual(self.successResultOf(asked).body, self.content)

    def test_too_slow(self) -> None:
        """Who has waited for a minute downloads itself."""
        self.here.upstream.rate = 100
        self.ask(self.here)
        self.pass_time(0.5)
        asked = self.ask(self.there)
        self.pass_time(WAIT_SECONDS + 5)
        self.assertEqual(self.successResultOf(asked).body, self.content)

    def claimed(self) -> list[bytes]:
        client = ScriptedRedis(self.clock, self.server).connected.handler.client
        return client.keys("*download*")

    def test_a_disk_that_refuses(self) -> None:
        """A node that cannot store it holds no other one up."""
        self.here.fills.passing.is_allowed = False
        self.here.fills.passing.refused(self.clock.seconds())
        refused = self.ask(self.here)
        self.pass_time(0.1)
        self.assertEqual(self.successResultOf(refused).status, 503)
        self.assertEqual(self.claimed(), [])
        asked = self.ask(self.there)
        self.pass_time(5)
        self.assertEqual(self.successResultOf(asked).body, self.content)

    def test_clients_that_leave(self) -> None:
        """A claim goes back when the last client that waited for its turn has left."""
        fills, name = self.here.fills, RepositoryName.parse("a")
        fills.limit(90.0, 1)
        other = self.here.upstream.add_blob("a", os.urandom(SIZE))
        busy = self.here.ask("GET", f"/v2/a/blobs/{other}")
        self.pass_time(0.1)
        blobs = self.here.settle(self.here.proxy.repository(name)).blobs
        waiting = [blobs.open(digest=self.digest) for _ in range(2)]
        for done in waiting:
            self.pass_time(0.1)
            self.assertEqual(len(self.claimed()), 2)
            done.cancel()
            self.failureResultOf(done, CancelledError)
        self.pass_time(0.1)
        self.assertEqual(len(self.claimed()), 1)
        self.pass_time(5)
        self.assertEqual(self.successResultOf(busy).status, 200)
        self.assertEqual(self.claimed(), [])

    def test_redis_away(self) -> None:
        """Each node goes on alone, and no pull fails."""
        for house in self.nodes:
            house.fills._claims._redis.connected.size = 0
        asked = [self.ask(house) for house in self.nodes]
        self.pass_time(5)
        for done in asked:
            self.assertEqual(self.successResultOf(done).body, self.content)

    def test_a_tag_is_fresh_for_all(self) -> None:
        """What one node was told of a tag, the other need not ask."""
        self.pass_time(1)
        asked = self.here.ask("GET", TAG)
        self.pass_time(3)
        wanted = self.successResultOf(asked)
        asked = self.there.ask("GET", TAG)
        self.pass_time(1)
        self.assertEqual(self.successResultOf(asked).body, wanted.body)
        self.assertEqual(self.there.upstream.asked, [])
        self.pass_time(60)
        asked = self.there.ask("GET", TAG)
        self.pass_time(1)
        self.assertEqual(self.successResultOf(asked).body, wanted.body)
        self.assertEqual(self.there.upstream.count("HEAD", TAG), 1)

    def test_a_tag_of_another_upstream(self) -> None:
        """A node that was reloaded believes no tag of one that was not yet."""
        self.there = self.node(upstream_url="https://new.example")
        self.nodes = self.here, self.there
        changed = self.there.upstream.add_manifest(
            "a", image_manifest(note="new"), "v1"
        )
        self.pass_time(1)
        for house, is_new in ((self.here, False), (self.there, True)) * 2:
            asked = house.ask("GET", TAG)
            self.pass_time(3)
            found = Digest.of(self.successResultOf(asked).body)
            self.assertEqual(found == changed, is_new)

    def test_expiry_runs_once(self) -> None:
        """What no node has used goes, and what one has used stays."""
        asked = [self.ask(self.here), self.here.ask("GET", TAG)]
        self.pass_time(5)
        for done in asked:
            self.assertEqual(self.successResultOf(done).status, 200)
        for house in self.nodes:
            house.scheduler.startService()
            self.addCleanup(house.scheduler.stopService)
        self.clock.pump([600.0] * 5)
        asked = [self.there.ask("GET", TAG)]
        self.pass_time(3)
        self.assertEqual(self.successResultOf(asked[0]).status, 200)
        self.clock.pump([60.0] * 20)
        self.assertFalse([path for path in self.here.paths() if "_layers" in path])
        self.assertTrue([path for path in self.here.paths() if "_manifests" in path])
        self.clock.pump([60.0] * 60)
        self.assertFalse([path for path in self.here.paths() if "/docker/" in path])
