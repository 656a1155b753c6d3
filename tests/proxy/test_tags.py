"""Tags of a cache: fresh, asked for, stale, and gone."""

from __future__ import annotations

import json

import attrs
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec import mediatypes
from txregistry.spec.errors import ManifestUnknown
from txregistry.spec.freshness import TagPolicy
from txregistry.spec.onerror import DEFAULTS, ErrorPolicy
from txregistry.spec.reference import RepositoryName, Tag
from txregistry.testing.answers import Got
from txregistry.testing.house import TestHouse
from txregistry.testing.repositories import image_manifest
from txregistry.testing.upstream import Fault

TAG = "/v2/lib/x/manifests/v1"


class TagCase(SynchronousTestCase):
    """One tag, asked for again and again."""

    def setUp(self) -> None:
        self.use(TestHouse())

    def use(self, house: TestHouse) -> None:
        self.house = house
        self.first = house.upstream.add_manifest("lib/x", image_manifest(), "v1")

    def move(self) -> None:
        content = image_manifest(note="newer")
        self.second = self.house.upstream.add_manifest("lib/x", content, "v1")

    def digest(self) -> str | None:
        got = self.house.get(TAG)
        self.assertEqual(got.status, 200)
        return got.header("Docker-Content-Digest")

    def heads(self) -> int:
        return self.house.upstream.count("HEAD", "/manifests/v1")

    def gets(self) -> int:
        return self.house.upstream.count("GET", "/manifests/")

    def lose_upstream(self) -> None:
        self.house.upstream_wire.refused = Refused()


class TagTests(TagCase):
    """How often the upstream is asked, and what for."""

    def test_cold_tag_costs_a_head_and_a_get_by_digest(self) -> None:
        """The tag is resolved by HEAD, the manifest fetched by its digest."""
        self.assertEqual(self.digest(), str(self.first))
        asked = [(a.method, a.path) for a in self.house.upstream.asked]
        by_digest = f"/v2/lib/x/manifests/{self.first}"
        self.assertEqual(asked, [("HEAD", TAG), ("GET", by_digest)])

    def test_fresh_tag_costs_nothing(self) -> None:
        """For a minute the upstream is not asked again."""
        self.digest()
        self.house.clock.advance(50)
        self.assertEqual(self.house.get(TAG).header("Cache-Status"), "txregistry; hit")
        self.assertEqual((self.heads(), self.gets()), (1, 1))

    def test_unchanged_tag_costs_a_head(self) -> None:
        """After a minute one HEAD confirms it; nothing is counted as a pull."""
        self.digest()
        self.house.clock.advance(61)
        self.digest()
        self.assertEqual((self.heads(), self.gets()), (2, 1))

    def test_moved_tag_is_followed(self) -> None:
        """A tag that moved is the new manifest, on disk as well."""
        self.digest()
        self.move()
        self.house.clock.advance(61)
        self.assertEqual(self.digest(), str(self.second))
        self.lose_upstream()
        self.house.clock.advance(61)
        self.assertEqual(self.digest(), str(self.second))

    def test_zero_asks_each_time(self) -> None:
        """With a tagttl of 0 each request asks."""
        self.use(TestHouse(policy=TagPolicy(0)))
        self.digest()
        self.digest()
        self.assertEqual((self.heads(), self.gets()), (2, 1))

    def test_one_node_knows_its_own_answers(self) -> None:
        """A ledger that no other process records in is not asked for them."""
        self.digest()
        self.house.clock.advance(61)

        def unexpected(*_: object, **__: object) -> None:
            raise AssertionError("the ledger was asked")

        self.patch(type(self.house.ledger), "confirmed_at", unexpected)
        self.digest()
        self.assertEqual(self.heads(), 2)

    def test_many_ask_once(self) -> None:
        """Requests for one tag at the same time share one question."""
        asked = [self.house.ask("GET", TAG) for _ in range(10)]
        for got in asked:
            self.assertEqual(self.house.settle(got).status, 200)
        self.assertEqual((self.heads(), self.gets()), (1, 1))

    def test_one_of_many_leaves(self) -> None:
        """A client that goes away does not take the answer from the others."""
        first, second = self.house.ask("GET", TAG), self.house.ask("GET", TAG)
        first.addErrback(lambda _: None)
        first.cancel()
        self.assertEqual(self.house.settle(second).status, 200)

    def test_head_by_client_is_answered_from_the_head(self) -> None:
        """A HEAD fetches no manifest, and has length, type and digest."""
        got = self.house.head(TAG)
        self.assertEqual(got.status, 200)
        self.assertEqual(got.header("Docker-Content-Digest"), str(self.first))
        self.assertEqual(got.header("Content-Type"), mediatypes.OCI_MANIFEST)
        self.assertEqual(self.gets(), 0)

    def test_upstream_without_digest_on_head(self) -> None:
        """An upstream that does not tell the digest is asked for the manifest."""
        self.house.upstream.digest_on_head = False
        self.assertEqual(self.digest(), str(self.first))

    def test_stale_in_an_outage(self) -> None:
        """With the upstream gone, what is cached is served and marked."""
        self.digest()
        self.lose_upstream()
        self.house.clock.advance(600)
        got = self.house.get(TAG)
        self.assertEqual(got.status, 200)
        self.assertEqual(got.header("Warning"), '110 - "Response is Stale"')
        self.assertIn("fwd=stale", got.header("Cache-Status"))
        self.assertGreaterEqual(int(got.header("Age")), 600)
        stale = self.house.count(
            "registry_proxy_stale_total", type="tag", upstream="upstream.example"
        )
        self.assertEqual(stale, 1)
        labels = {"type": "manifest", "upstream": "upstream.example"}
        stale, of_hits = (
            self.house.count(f"registry_proxy_{name}_bytes_total", **labels)
            for name in ("stale", "hit")
        )
        self.assertEqual(stale, len(got.body))
        self.assertEqual(of_hits, stale)

    def test_stale_on_429_and_5xx(self) -> None:
        """A rate limit and a failing upstream are outages as well."""
        self.digest()
        for status in (429, 500, 503):
            self.house.upstream.faults[:] = [Fault("/v2/", times=100, status=status)]
            self.house.clock.advance(3600)
            got = self.house.get(TAG)
            self.assertEqual((status, got.status), (status, 200))
            self.assertIsNotNone(got.header("Warning"))

    def test_too_stale(self) -> None:
        """Past maxstale the outage is told."""
        self.use(TestHouse(policy=TagPolicy(60, 3600)))
        self.digest()
        self.lose_upstream()
        self.house.clock.advance(3500)
        self.assertEqual(self.house.get(TAG).status, 200)
        self.house.clock.advance(200)
        got = self.house.get(TAG)
        self.assertIn(got.status, (502, 503))
        self.assertEqual(json.loads(got.body)["errors"][0]["code"], "UNAVAILABLE")

    def test_older_manifest_is_worth_more_than_a_name(self) -> None:
        """A tag seen to move, whose manifest was not fetched, stays as it was."""
        self.digest()
        self.move()
        self.house.clock.advance(61)
        self.house.head(TAG)
        self.lose_upstream()
        self.house.clock.advance(61)
        self.assertEqual(self.digest(), str(self.first))

    def test_moved_tag_whose_manifest_is_limited(self) -> None:
        """HEAD is free and GET is not: past the limit the older manifest serves."""
        self.digest()
        self.move()
        self.house.clock.advance(61)
        limit = Fault("/manifests/", method="GET", times=99, status=429)
        self.house.upstream.faults.append(limit)
        for _ in range(2):
            got = self.house.get(TAG)
            self.assertEqual(got.header("Docker-Content-Digest"), str(self.first))
            self.assertIsNotNone(got.header("Warning"))
        self.house.upstream.faults.clear()
        self.assertEqual(self.digest(), str(self.second))

    def test_head_by_tag_keeps_the_manifest(self) -> None:
        """A tag that is only asked for by HEAD is in use, and so is its manifest."""
        self.digest()
        self.house.scheduler.startService()
        for _ in range(40):
            self.house.clock.advance(300)
            self.house.head(TAG)
        self.lose_upstream()
        self.house.clock.advance(61)
        self.assertEqual(self.digest(), str(self.first))
        self.successResultOf(self.house.scheduler.stopService())

    def test_404_is_obeyed(self) -> None:
        """A tag deleted upstream is gone here, in an outage too."""
        self.digest()
        del self.house.upstream.manifests["lib/x", "v1"]
        self.house.clock.advance(61)
        got = self.house.get(TAG)
        self.assertEqual(got.status, 404)
        self.assertEqual(json.loads(got.body)["errors"][0]["code"], "MANIFEST_UNKNOWN")
        self.lose_upstream()
        self.assertEqual(self.house.get(TAG).status, 502)

    def test_401_and_403_are_obeyed(self) -> None:
        """Access that was taken away is not given from the cache."""
        self.digest()
        for status in (401, 403):
            self.house.upstream.faults[:] = [Fault("/v2/", times=9, status=status)]
            self.house.clock.advance(61)
            self.assertEqual(self.house.get(TAG).status, status)

    def test_unknown_in_an_outage(self) -> None:
        """What is neither cached nor reachable is 502, never 404 or 500."""
        self.lose_upstream()
        for path in ("manifests/v2", f"manifests/{self.first}", f"blobs/{self.first}"):
            got = self.house.get(f"/v2/lib/x/{path}")
            self.assertEqual((path, got.status), (path, 502))

    def test_list_is_upstreams(self) -> None:
        """Tag lists come from upstream, page by page."""
        for tag in ("a", "b", "c"):
            self.house.upstream.add_manifest("lib/x", image_manifest(note=tag), tag)
        got = self.house.get("/v2/lib/x/tags/list?n=2")
        self.assertEqual(json.loads(got.body), {"name": "lib/x", "tags": ["a", "b"]})
        link = got.header("Link")
        self.assertEqual(link, '</v2/lib/x/tags/list?last=b&n=2>; rel="next"')
        got = self.house.get("/v2/lib/x/tags/list?last=b&n=2")
        self.assertEqual(json.loads(got.body)["tags"], ["c", "v1"])
        self.assertIsNone(got.header("Link"))

    def test_list_in_an_outage(self) -> None:
        """With the upstream gone, the tags that are stored are listed, as stale."""
        self.digest()
        self.lose_upstream()
        got = self.house.get("/v2/lib/x/tags/list")
        self.assertEqual(json.loads(got.body)["tags"], ["v1"])
        self.assertIsNotNone(got.header("Warning"))

    def test_list_of_nothing_in_an_outage(self) -> None:
        """A repository that is not cached is not reported empty."""
        self.lose_upstream()
        self.assertEqual(self.house.get("/v2/lib/y/tags/list").status, 502)

    def test_pushes_and_deletes_are_refused(self) -> None:
        """A cache takes no pushes and no deletes: 405 UNSUPPORTED."""
        for method, path in (
            ("PUT", TAG),
            ("DELETE", TAG),
            ("POST", "/v2/lib/x/blobs/uploads/"),
            ("PATCH", "/v2/lib/x/blobs/uploads/1"),
            ("DELETE", f"/v2/lib/x/blobs/{self.first}"),
        ):
            got = self.house.settle(self.house.ask(method, path))
            self.assertEqual((method, got.status), (method, 405))
            code = json.loads(got.body)["errors"][0]["code"]
            self.assertEqual(code, "UNSUPPORTED")

    def test_restart_keeps_the_age(self) -> None:
        """After a restart, the age of a stale tag counts from its confirmation."""
        self.digest()
        self.house.clock.advance(5000)
        again = TestHouse(clock=self.house.clock, driver=self.house.driver)
        again.proxy._cache = attrs.evolve(
            again.proxy._cache, confirmations=self.house.ledger
        )
        again.upstream_wire.refused = Refused()
        got = again.get(TAG)
        self.assertEqual(got.status, 200)
        self.assertGreaterEqual(int(got.header("Age")), 5000)


#: Statuses of each rule of ``proxy.onerror``.
STATUSES = {
    "401": (401,),
    "403": (403,),
    "404": (404, 410),
    "429": (429,),
    "5xx": (500, 502, 503, 504),
}


class OnErrorTests(TagCase):
    """Each row of ``proxy.onerror``."""

    def make(self, **rules: str) -> TestHouse:
        errors = ErrorPolicy.of(rules)
        return TestHouse(policy=TagPolicy(60.0, 3600.0, errors), recheck=60.0)

    def answer(self, status: int) -> None:
        self.house.upstream.faults[:] = [Fault("/v2/", times=99, status=status)]

    def test_stale(self) -> None:
        """The cached tag is served and marked, while maxstale permits."""
        for kind, statuses in STATUSES.items():
            for status in statuses:
                self.use(
                    self.make(**{**dict.fromkeys(DEFAULTS, "obey"), kind: "stale"})
                )
                self.digest()
                self.answer(status)
                self.house.clock.advance(600)
                got = self.house.get(TAG)
                self.assertEqual((status, got.status), (status, 200))
                self.assertEqual(got.header("Warning"), '110 - "Response is Stale"')
                self.assertIn("fwd=stale", got.header("Cache-Status"))
                self.assertGreaterEqual(int(got.header("Age")), 600)
                listed = self.house.get("/v2/lib/x/tags/list")
                self.assertEqual(json.loads(listed.body)["tags"], ["v1"])
                self.house.clock.advance(3600)
                self.assertNotEqual(self.house.get(TAG).status, 200)

    def test_obey(self) -> None:
        """The client gets the error, although there is something cached."""
        told = {401: 401, 403: 403, 404: 404, 410: 404, 429: 429}
        for kind, statuses in STATUSES.items():
            for status in statuses:
                self.use(
                    self.make(**{**dict.fromkeys(DEFAULTS, "stale"), kind: "obey"})
                )
                self.digest()
                self.answer(status)
                self.house.clock.advance(600)
                got = self.house.get(TAG)
                self.assertEqual((status, got.status), (status, told.get(status, 502)))
                self.assertIsNone(got.header("Warning"))

    def test_stale_404_deletes_nothing(self) -> None:
        """A tag that is served in spite of 404 is there when the upstream is not."""
        self.use(self.make(**{"404": "stale"}))
        self.digest()
        self.answer(404)
        self.house.clock.advance(600)
        self.digest()
        self.lose_upstream()
        self.assertEqual(self.digest(), str(self.first))

    def test_refreshed(self) -> None:
        """Who asks for a tag anew is told, and a tag that is kept is kept."""
        for action, left in (("stale", 200), ("obey", 502)):
            self.use(self.make(**{"404": action}))
            self.digest()
            self.answer(404)
            found = self.house.proxy.repository(RepositoryName.parse("lib/x"))
            tags = self.house.settle(found).tags
            refreshed = tags.refresh(tag=Tag.parse("v1"))
            self.assertRaises(ManifestUnknown, self.house.settle, refreshed)
            self.lose_upstream()
            self.house.clock.advance(61)
            self.assertEqual(self.house.get(TAG).status, left)

    def test_nothing_cached(self) -> None:
        """There is nothing to serve in place of the error."""
        self.use(self.make(**dict.fromkeys(DEFAULTS, "stale")))
        for status in (401, 403, 404, 429):
            self.answer(status)
            self.assertEqual(self.house.get(TAG).status, status)

    def test_content_by_digest(self) -> None:
        """What is asked for anew by recheck follows the same rules."""
        for action, expected in (("stale", 200), ("obey", 401)):
            self.use(self.make(**{"401": action}))
            self.digest()
            self.house.clock.advance(600)
            self.answer(401)
            got = self.house.get(f"/v2/lib/x/manifests/{self.first}")
            self.assertEqual(got.status, expected)

    def test_counted_once(self) -> None:
        """A tag and its manifest are one stale response."""
        self.use(self.make(**dict.fromkeys(DEFAULTS, "stale")))
        self.digest()
        self.assertEqual(self.house.get(TAG).status, 200)
        self.house.clock.advance(600)
        self.answer(503)
        self.assertEqual(self.house.get(TAG).status, 200)
        counts = [
            self.house.count(
                "registry_proxy_stale_total", type=kind, upstream="upstream.example"
            )
            for kind in ("tag", "manifest")
        ]
        self.assertEqual(counts, [1, 0])
        # By its digest it is a response of its own.
        self.house.get(f"/v2/lib/x/manifests/{self.first}")
        self.assertEqual(
            self.house.count(
                "registry_proxy_stale_total",
                type="manifest",
                upstream="upstream.example",
            ),
            1,
        )

    def test_content_of_another_repository(self) -> None:
        """No rule gives a repository what only another one was given."""
        self.use(self.make(**dict.fromkeys(DEFAULTS, "stale")))
        self.digest()
        self.answer(401)
        got = self.house.get(f"/v2/lib/other/manifests/{self.first}")
        self.assertEqual(got.status, 401)

    def test_429_opens_no_circuit(self) -> None:
        """However often it says so, an upstream over its limits is asked again."""
        self.digest()
        self.answer(429)
        for _ in range(20):
            self.house.clock.advance(61)
            self.assertEqual(self.house.get(TAG).status, 200)
            self.assertEqual(self.house.get("/v2/lib/x/manifests/v2").status, 429)
        self.house.upstream.faults.clear()
        before = self.heads()
        self.house.clock.advance(61)
        got = self.house.get(TAG)
        self.assertIsNone(got.header("Warning"))
        self.assertEqual(self.heads(), before + 1)


class RevalidateTests(TagCase):
    """``proxy.revalidate: behind``."""

    def setUp(self) -> None:
        self.use(TestHouse(policy=TagPolicy(60.0, stale_while_seconds=3600.0)))
        self.digest()

    def rest(self) -> None:
        """Let happen what goes on behind."""
        for _ in range(200):
            self.house.pump()
            self.house.clock.advance(0.05)

    def at_once(self) -> Got:
        """Ask, and let nothing happen on the wire to the upstream."""
        done = self.house.ask("GET", TAG)
        while self.house.wire.pump():
            pass
        return self.successResultOf(done)

    def test_answered_at_once(self) -> None:
        """Past tagttl the cached tag is the answer, and one HEAD follows."""
        self.house.clock.advance(600)
        got = self.at_once()
        self.assertEqual(got.header("Docker-Content-Digest"), str(self.first))
        self.assertEqual(got.header("Cache-Status"), "txregistry; hit; detail=behind")
        self.assertEqual(got.header("Warning"), '110 - "Response is Stale"')
        self.assertGreaterEqual(int(got.header("Age")), 600)
        self.rest()
        self.assertEqual((self.heads(), self.gets()), (2, 1))
        labels = {"type": "tag", "upstream": "upstream.example"}
        self.assertEqual(self.house.count("registry_proxy_behind_total", **labels), 1)
        self.assertEqual(self.house.count("registry_proxy_stale_total", **labels), 0)
        self.assertEqual(self.at_once().header("Cache-Status"), "txregistry; hit")

    def test_one_question(self) -> None:
        """Many who ask meanwhile share one question."""
        self.house.clock.advance(600)
        for _ in range(10):
            self.assertIn("behind", self.at_once().header("Cache-Status"))
        self.rest()
        self.assertEqual(self.heads(), 2)

    def test_moved_tag(self) -> None:
        """The one after it gets the new manifest, which is here already."""
        self.move()
        self.house.clock.advance(600)
        got = self.at_once()
        self.assertEqual(got.header("Docker-Content-Digest"), str(self.first))
        self.rest()
        got = self.at_once()
        self.assertEqual(got.header("Docker-Content-Digest"), str(self.second))
        self.assertEqual(got.header("Cache-Status"), "txregistry; hit")

    def test_past_stalewhile(self) -> None:
        """Then the upstream is asked before the answer."""
        self.move()
        self.house.clock.advance(60 + 3600)
        self.assertEqual(self.digest(), str(self.second))

    def test_upstream_away(self) -> None:
        """Nobody waits for an upstream that does not answer."""
        self.lose_upstream()
        for _ in range(20):
            self.house.clock.advance(100)
            self.assertEqual(self.at_once().status, 200)
            self.rest()
        self.house.clock.advance(3600)
        self.assertIn("fwd=stale", self.house.get(TAG).header("Cache-Status"))
        self.assertEqual(len(self.house.behind), 0)

    def test_refusals_are_obeyed(self) -> None:
        """After a refusal behind an answer the next client is refused."""
        for status in (401, 403, 404):
            self.setUp()
            self.house.upstream.faults[:] = [Fault("/v2/", times=99, status=status)]
            self.house.clock.advance(600)
            self.assertEqual(self.at_once().status, 200)
            self.rest()
            self.assertEqual(self.house.get(TAG).status, status)

    def test_failures_are_not_obeyed(self) -> None:
        """After 429 or 5xx it is served as before."""
        for status in (429, 500, 503):
            self.house.upstream.faults[:] = [Fault("/v2/", times=99, status=status)]
            self.house.clock.advance(600)
            self.assertEqual(self.at_once().status, 200)
            self.rest()
            self.assertEqual(self.at_once().status, 200)

    def test_head_of_a_tag_without_manifest(self) -> None:
        """What is not here cannot be served at once."""
        self.move()
        self.house.clock.advance(4000)
        self.house.head(TAG)
        self.house.clock.advance(600)
        before = self.heads()
        self.house.head(TAG)
        self.assertEqual(self.heads(), before + 1)

    def test_stop(self) -> None:
        """A question under way ends with the service, and leaves nothing."""
        self.house.upstream.faults.append(Fault("/v2/", hang=True))
        self.house.clock.advance(600)
        self.at_once()
        self.house.pump()
        self.assertEqual(len(self.house.behind), 1)
        self.successResultOf(self.house.behind.stopService())
        self.assertEqual(len(self.house.behind), 0)
        self.house.clock.advance(600)
        self.at_once()
        self.assertEqual(len(self.house.behind), 0)
