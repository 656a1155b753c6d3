"""An upstream that limits how often it may be asked."""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers
from zope.interface.verify import verifyObject

from txregistry.interfaces.ratelimit import IRateLimit
from txregistry.observe.metrics import Metrics
from txregistry.proxy.context import Unlimited
from txregistry.remote.ratelimit import RateLimit, RateLimitAgent
from txregistry.spec.freshness import TagPolicy
from txregistry.spec.ratelimit import RatePolicy
from txregistry.testing.house import TestHouse
from txregistry.testing.repositories import image_manifest
from txregistry.testing.upstream import Fault

TAG = "/v2/lib/x/manifests/v1"
OTHER = "/v2/lib/x/manifests/v2"


def quota(remaining: int) -> dict[str, str]:
    """Give headers as Docker Hub sends them."""
    return {
        "ratelimit-limit": "100;w=21600",
        "ratelimit-remaining": f"{remaining};w=21600",
    }


@attrs.define
class Answer:
    """An answer with some headers."""

    code: int
    given: dict[str, str]

    @property
    def headers(self) -> Headers:
        return Headers({name: [value] for name, value in self.given.items()})


class AgentTests(SynchronousTestCase):
    """Whose answers count."""

    def setUp(self) -> None:
        self.clock, self.metrics = Clock(), Metrics("up.example")
        self.limit = RateLimit(self.clock, self.metrics)
        self.answer = Answer(200, quota(5))
        agent = RateLimitAgent(self, "https://up.example/base", self.limit)
        self.agent = agent

    def request(self, *_: object) -> Deferred[Answer]:
        return succeed(self.answer)

    def ask(self, url: str = "https://up.example/v2/") -> None:
        self.successResultOf(self.agent.request(b"GET", url.encode()))

    def metric(self, name: str) -> float | None:
        return self.metrics.registry.get_sample_value(
            f"registry_proxy_{name}", {"upstream": "up.example"}
        )

    def test_contract(self) -> None:
        """It is what the cache asks."""
        self.assertTrue(verifyObject(IRateLimit, self.limit))
        self.assertTrue(verifyObject(IRateLimit, Unlimited()))
        self.assertTrue(Unlimited().take())

    def test_of_the_upstream(self) -> None:
        """What is said is known, and in metrics."""
        self.assertIsNone(self.metric("ratelimit_limit"))
        self.ask()
        self.assertEqual(self.metric("ratelimit_limit"), 100)
        self.assertEqual(self.metric("ratelimit_remaining"), 5)
        self.assertTrue(self.limit.is_short)
        self.assertTrue(self.limit.take())
        self.assertFalse(self.limit.take())
        self.clock.advance(3600)
        self.assertTrue(self.limit.take())

    def test_of_others(self) -> None:
        """Storage and token services have limits of their own."""
        self.ask("https://cdn.example/blob")
        self.assertFalse(self.limit.is_short)
        self.assertIsNone(self.metric("ratelimit_remaining"))

    def test_429(self) -> None:
        """It says for how long it wants to be left alone."""
        self.answer = Answer(429, {"Retry-After": "120"})
        self.ask()
        self.assertEqual(self.metric("retry_after_seconds"), 120)
        self.assertFalse(self.limit.take())
        self.clock.advance(120)
        self.assertTrue(self.limit.take())

    def test_policy(self) -> None:
        """Another reserve decides from now on; other credentials begin anew."""
        self.ask()
        self.limit.follow(RatePolicy(0.0))
        self.assertFalse(self.limit.is_short)
        self.limit.follow(RatePolicy(0.5))
        self.assertTrue(self.limit.is_short)
        self.limit.forget()
        self.assertFalse(self.limit.is_short)


class CacheTests(SynchronousTestCase):
    """A cache in front of it."""

    def setUp(self) -> None:
        self.use(TestHouse())

    def use(self, house: TestHouse) -> None:
        self.house = house
        for tag in ("v1", "v2"):
            house.upstream.add_manifest("lib/x", image_manifest(note=tag), tag)
            self.assertEqual(house.get(f"/v2/lib/x/manifests/{tag}").status, 200)

    def heads(self) -> int:
        return self.house.upstream.count("HEAD", "/manifests/")

    def say(self, remaining: int) -> None:
        """Have the upstream say how much is left."""
        self.house.upstream.headers = quota(remaining)
        self.house.get("/v2/lib/x/manifests/none")

    def test_enough(self) -> None:
        """Above the reserve each tag is asked about as always."""
        self.say(50)
        for _ in range(3):
            self.house.clock.advance(61)
            before = self.heads()
            got = self.house.get(TAG)
            self.assertIsNone(got.header("Warning"))
            self.assertEqual(self.heads(), before + 1)

    def test_below_the_reserve(self) -> None:
        """Tags are served as stale, and one question an interval is asked."""
        self.say(5)
        before = self.heads()
        for _ in range(60):  # two hours, and the interval is one
            self.house.clock.advance(120)
            for path in (TAG, OTHER):
                self.assertEqual(self.house.get(path).status, 200)
        self.assertIn(self.heads() - before, (2, 3))
        got = self.house.get(TAG)
        self.assertEqual(
            got.header("Cache-Status"), "txregistry; hit; detail=ratelimit"
        )
        self.assertEqual(got.header("Warning"), '110 - "Response is Stale"')

    def test_recovers(self) -> None:
        """When the one question says that there is enough, all are asked again."""
        self.say(5)
        self.house.clock.advance(120)
        self.house.upstream.headers = quota(90)
        self.assertIsNone(self.house.get(TAG).header("Warning"))
        before = self.heads()
        self.assertIsNone(self.house.get(OTHER).header("Warning"))
        self.assertEqual(self.heads(), before + 1)

    def test_what_is_not_here(self) -> None:
        """It is for this that the reserve is kept."""
        self.say(5)
        self.house.upstream.add_manifest("lib/x", image_manifest(note="3"), "v3")
        for _ in range(3):
            self.house.clock.advance(61)
            self.house.get(TAG)
        self.assertEqual(self.house.get("/v2/lib/x/manifests/v3").status, 200)

    def test_too_stale(self) -> None:
        """What may not be served as stale is asked about."""
        self.use(TestHouse(policy=TagPolicy(60.0, 300.0)))
        self.say(5)
        self.house.clock.advance(400)
        for path in (TAG, OTHER):
            before = self.heads()
            self.assertIsNone(self.house.get(path).header("Warning"))
            self.assertEqual(self.heads(), before + 1)

    def test_retry_after(self) -> None:
        """Until then nobody asks about what is here."""
        wait = {"Retry-After": "600"}
        self.house.upstream.faults.append(
            Fault("/v2/", times=99, status=429, headers=wait)
        )
        self.house.clock.advance(61)
        self.assertIn("fwd=stale", self.house.get(TAG).header("Cache-Status"))
        before = len(self.house.upstream.asked)
        for _ in range(5):
            self.house.clock.advance(100)
            for path in (TAG, OTHER):
                got = self.house.get(path)
                self.assertIn("ratelimit", got.header("Cache-Status"))
        self.assertEqual(len(self.house.upstream.asked), before)
        self.house.upstream.faults.clear()
        self.house.clock.advance(100)
        self.assertIsNone(self.house.get(TAG).header("Warning"))

    def test_behind(self) -> None:
        """Questions behind answers are spared as well."""
        self.use(TestHouse(policy=TagPolicy(60.0, stale_while_seconds=86400.0)))
        self.say(5)
        before = self.heads()
        for _ in range(20):
            self.house.clock.advance(120)
            self.assertIn("behind", self.house.get(TAG).header("Cache-Status"))
        self.assertLessEqual(self.heads() - before, 2)
