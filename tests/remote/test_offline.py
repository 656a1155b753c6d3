"""A cache that asks nothing of nobody."""

from __future__ import annotations

import json

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from txregistry.remote.client import Limits
from txregistry.remote.offline import OfflineAgent, OfflineSwitch
from txregistry.spec.digest import Digest
from txregistry.spec.errors import UpstreamUnavailable
from txregistry.spec.freshness import TagPolicy
from txregistry.testing.answers import Got
from txregistry.testing.house import TestHouse
from txregistry.testing.repositories import image_manifest
from txregistry.testing.upstream import Fault

TAG = "/v2/lib/x/manifests/v1"
NONE = Digest.of(b"none")


class SwitchTests(SynchronousTestCase):
    """Who has said what last."""

    def test_changes_are_told(self) -> None:
        """At the beginning, and when something has changed."""
        told: list[bool] = []
        switch = OfflineSwitch(True, told.append)
        self.assertFalse(switch.switch(True))
        self.assertTrue(switch.switch(False))
        self.assertTrue(switch.switch(True))
        self.assertEqual(told, [True, False, True])

    def test_configuration(self) -> None:
        """A reload that changes nothing leaves an administrator's word in force."""
        switch = OfflineSwitch(False)
        switch.switch(True)
        switch.follow(False)
        self.assertTrue(switch.is_on)
        switch.follow(True)
        switch.switch(False)
        switch.follow(True)
        self.assertFalse(switch.is_on)
        switch.follow(False)
        self.assertFalse(switch.is_on)

    def test_check(self) -> None:
        """The error names the upstream and the reason."""
        OfflineSwitch(False).check("a")
        with self.assertRaises(UpstreamUnavailable) as caught:
            OfflineSwitch(True).check("a")
        detail = {"upstream": "a", "reason": "offline"}
        self.assertEqual(caught.exception.detail, detail)


class AgentTests(SynchronousTestCase):
    """The last agent before a connection."""

    def test_nothing_is_dialled(self) -> None:
        """While it is on, the agent inside is not asked."""
        asked: list[bytes] = []

        class Core:
            def request(self, method: bytes, uri: bytes, *_: object) -> Deferred[str]:
                asked.append(uri)
                return Deferred()

        switch = OfflineSwitch(True)
        agent = OfflineAgent(Core(), switch)
        refused = agent.request(b"GET", b"https://cdn.example/x")
        error = self.failureResultOf(refused, UpstreamUnavailable).value
        self.assertEqual(error.detail["upstream"], "cdn.example")
        switch.switch(False)
        self.assertNoResult(agent.request(b"GET", b"https://cdn.example/x"))
        self.assertEqual(asked, [b"https://cdn.example/x"])


class CacheTests(SynchronousTestCase):
    """What clients get meanwhile."""

    def setUp(self) -> None:
        self.use(TestHouse(limits=Limits(negative=10.0), recheck=60.0))

    def use(self, house: TestHouse) -> None:
        self.house = house
        self.blob = house.upstream.add_blob("lib/x", b"blob")
        house.upstream.add_manifest("lib/x", image_manifest(), "v1")
        house.get(TAG)
        house.get(f"/v2/lib/x/blobs/{self.blob}")
        self.switch_on()

    def switch_on(self) -> None:
        self.house.offline.switch(True)
        self.asked = len(self.house.upstream.asked)
        # Not even a connection: a wire that is used now fails the test.
        self.house.upstream_wire.refused = AssertionError("it dialled")

    def at_once(self, path: str) -> tuple[int, str | None, bytes]:
        done = self.house.ask("GET", path)
        while self.house.wire.pump():
            pass
        got = self.successResultOf(done)
        self.assertEqual(len(self.house.upstream.asked), self.asked)
        return got.status, got.header("Warning"), got.body

    def test_stored(self) -> None:
        """It is served at once, as stale where the upstream would have been asked."""
        paths = (TAG, f"/v2/lib/x/blobs/{self.blob}")
        for path in paths:
            self.assertEqual(self.at_once(path)[:2], (200, None))
        self.house.clock.advance(86400)
        for path in (*paths, "/v2/lib/x/tags/list"):
            status, warning, _ = self.at_once(path)
            self.assertEqual((status, warning), (200, '110 - "Response is Stale"'))

    def test_missing(self) -> None:
        """What is not here is 503 at once: it may well exist."""
        for path in (
            "/v2/lib/x/manifests/v2",
            f"/v2/lib/x/manifests/{NONE}",
            f"/v2/lib/x/blobs/{NONE}",
            "/v2/lib/y/tags/list",
        ):
            status, _, body = self.at_once(path)
            error = json.loads(body)["errors"][0]
            self.assertEqual((path, status, error["code"]), (path, 503, "UNAVAILABLE"))
            self.assertEqual(error["detail"]["reason"], "offline")

    def test_known_to_be_missing(self) -> None:
        """What the upstream has just said it does not have is 404."""
        self.house.offline.switch(False)
        self.house.upstream_wire.refused = None
        self.house.get("/v2/lib/x/manifests/v2")
        self.switch_on()
        self.assertEqual(self.at_once("/v2/lib/x/manifests/v2")[0], 404)

    def test_too_stale(self) -> None:
        """What maxstale forbids is not served for being offline."""
        self.use(TestHouse(policy=TagPolicy(60.0, 3600.0)))
        self.house.clock.advance(3700)
        self.assertEqual(self.at_once(TAG)[0], 503)

    def test_behind(self) -> None:
        """Nothing is asked behind an answer either."""
        self.use(TestHouse(policy=TagPolicy(60.0, stale_while_seconds=3600.0)))
        self.house.clock.advance(600)
        self.assertEqual(self.at_once(TAG)[0], 200)
        self.assertEqual(len(self.house.behind), 0)

    def test_online_again(self) -> None:
        """The first question after it is asked: no circuit has opened."""
        for _ in range(50):
            self.at_once("/v2/lib/x/manifests/v2")
        self.house.offline.switch(False)
        self.house.upstream_wire.refused = None
        self.house.clock.advance(600)
        got = self.house.get(TAG)
        self.assertEqual((got.status, got.header("Warning")), (200, None))
        self.assertGreater(len(self.house.upstream.asked), self.asked)

    def test_download_under_way(self) -> None:
        """It goes on."""
        content, done = self.download()
        self.assertEqual(self.house.settle(done).body, content)

    def test_download_that_breaks_off(self) -> None:
        """It is not resumed, and what has come is kept for later."""
        fault = Fault("/blobs/", cut_after=700_000)
        content, done = self.download(fault)
        asked = len(self.house.upstream.asked)
        self.assertTrue(self.house.settle(done).broken)
        self.assertEqual(len(self.house.upstream.asked), asked)
        self.house.offline.switch(False)
        digest = Digest.of(content)
        got = self.house.get(f"/v2/lib/x/blobs/{digest}")
        self.assertEqual(got.body, content)
        self.assertIn("range", self.house.upstream.asked[-1].headers)

    def download(self, *faults: Fault) -> tuple[bytes, Deferred[Got]]:
        """Go offline in the middle of a blob."""
        self.house.offline.switch(False)
        self.house.upstream_wire.refused = None
        self.house.upstream.faults.extend(faults)
        content = bytes(1_000_000)
        digest = self.house.upstream.add_blob("lib/x", content)
        self.house.upstream.rate = 500_000
        done = self.house.ask("GET", f"/v2/lib/x/blobs/{digest}")
        for _ in range(20):
            self.house.pump()
            self.house.clock.advance(0.05)
        self.house.offline.switch(True)
        return content, done
