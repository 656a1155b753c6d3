"""A cache whose settings change while clients are served."""

from __future__ import annotations

import os
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.freshness import TagPolicy
from txregistry.spec.gate import Gate
from txregistry.storage.tree import layout
from txregistry.testing.answers import Got
from txregistry.testing.house import TestHouse
from txregistry.testing.routes import resource_of
from txregistry.testing.upstream import Fault
from txregistry.web.http.serving import make_serving

SIZE = 1_000_000

MANIFEST = b'{"schemaVersion": 2, "mediaType": "%s"}' % (
    b"application/vnd.oci.image.index.v1+json"
)


class RenewedCase(SynchronousTestCase):
    """A cache, a slow blob and a tag."""

    def setUp(self) -> None:
        self.house = TestHouse()
        self.upstream = self.house.upstream
        self.content = os.urandom(SIZE)
        self.digest = self.upstream.add_blob("a", self.content)
        self.upstream.add_manifest("a", MANIFEST, "t")

    def renew(self, is_same: bool = True, recheck: float = 0.0, **policy: Any) -> None:
        """Do what a reload does."""
        house: Any = self.house
        changed = attrs.evolve(house.policy, **policy)
        house.proxy = house.proxy.renewed(changed, recheck, is_same)
        if not is_same:
            house.fills.forget()
        resource = resource_of(house.api(house.proxy, Gate(), upstreams=house.table))
        house.site.serve(make_serving(resource, house.recorder))

    def blob(self) -> Deferred[Got]:
        return self.house.ask("GET", f"/v2/a/blobs/{self.digest}")

    def tag(self) -> Got:
        return self.house.get("/v2/a/manifests/t")

    def pass_time(self, seconds: float) -> None:
        for _ in range(round(seconds / 0.02)):
            self.house.pump()
            self.house.clock.advance(0.02)
        self.house.pump()

    def asked(self, method: str, part: str) -> int:
        return self.upstream.count(method, part)


class FillsTests(RenewedCase):
    """Downloads under way."""

    def setUp(self) -> None:
        super().setUp()
        self.upstream.rate = SIZE // 2

    def test_goes_on(self) -> None:
        """One before and one after have the same download."""
        before = self.blob()
        self.pass_time(0.5)
        self.renew(fresh_seconds=5.0)
        after = self.blob()
        for done in (before, after):
            self.assertEqual(self.house.settle(done).body, self.content)
        self.assertEqual(self.asked("GET", "/blobs/"), 1)
        self.assertEqual(self.asked("HEAD", "/blobs/"), 0)

    def test_another_upstream_has_to_give_it(self) -> None:
        """Who comes after it has the download, if the upstream of now has the blob."""
        before = self.blob()
        self.pass_time(0.5)
        self.renew(is_same=False)
        after = self.blob()
        for done in (before, after):
            self.assertEqual(self.house.settle(done).body, self.content)
        self.assertEqual(self.asked("GET", "/blobs/"), 1)
        self.assertEqual(self.asked("HEAD", "/blobs/"), 1)

    def test_another_upstream_that_refuses(self) -> None:
        """It is refused to who comes after, and goes on for who came before."""
        before = self.blob()
        self.pass_time(0.5)
        self.renew(is_same=False)
        self.upstream.faults.append(Fault("/blobs/", times=2, status=403))
        self.assertEqual(self.house.settle(self.blob()).status, 403)
        self.assertEqual(self.house.settle(before).body, self.content)

    def test_nobody_may_have_it_any_more(self) -> None:
        """What ends after that is not stored; who asks next resumes it, with access."""
        before = self.blob()
        self.pass_time(0.5)
        self.renew(is_same=False)
        self.assertEqual(self.house.settle(before).body, self.content)
        self.pass_time(0.5)
        stored = [path for path in self.house.paths() if path.startswith(layout.BLOBS)]
        self.assertEqual(stored, [])
        self.assertIsNone(self.house.fills.find(self.digest))
        self.assertEqual(self.house.settle(self.blob()).body, self.content)
        self.assertEqual(self.asked("GET", "/blobs/"), 1)
        self.assertEqual(self.asked("HEAD", "/blobs/"), 1)
        self.pass_time(0.5)
        entries = self.house.settle(self.house.ledger.entries())
        self.assertEqual([entry.key.reference for entry in entries], [str(self.digest)])

    def test_question_of_before_counts_for_nobody(self) -> None:
        """What the old upstream says of a repository after the change is forgotten."""
        self.upstream.blobs["b", str(self.digest)] = self.content
        before = self.blob()
        self.pass_time(0.3)
        asking = self.house.ask("GET", f"/v2/b/blobs/{self.digest}")
        while self.house.wire.pump():
            pass  # the question is on its way to the upstream when all changes
        self.renew(is_same=False)
        for done in (before, asking):
            self.assertEqual(self.house.settle(done).body, self.content)
        self.assertEqual(self.asked("HEAD", "/v2/b/blobs/"), 2)

    def test_more_at_once(self) -> None:
        """A higher limit lets those begin that wait."""
        self.house.fills.limit(90.0, 1)
        other = self.upstream.add_blob("a", b"other")
        first = self.blob()
        self.pass_time(0.2)
        second = self.house.ask("GET", f"/v2/a/blobs/{other}")
        self.pass_time(0.2)
        self.assertEqual(self.asked("GET", "/blobs/"), 1)
        self.house.fills.limit(90.0, 2)
        self.pass_time(0.2)
        self.assertEqual(self.asked("GET", "/blobs/"), 2)
        self.assertEqual(self.house.settle(second).body, b"other")
        self.assertEqual(self.house.settle(first).body, self.content)


class TagTests(RenewedCase):
    """What is known of tags."""

    def test_same_upstream(self) -> None:
        """Answers that are remembered count, by the new policy."""
        self.tag()
        before = len(self.upstream.asked)
        self.house.clock.advance(30)
        self.renew(max_stale_seconds=5.0)
        self.tag()
        self.assertEqual(len(self.upstream.asked), before)
        self.renew(fresh_seconds=10.0)
        self.tag()
        self.assertEqual(len(self.upstream.asked), before + 1)

    def test_recheck(self) -> None:
        """Rights are asked for where they were not before."""
        self.tag()
        self.house.get(f"/v2/a/blobs/{self.digest}")
        self.renew(recheck=60.0)
        before = len(self.upstream.asked)
        self.house.get(f"/v2/a/blobs/{self.digest}")
        self.assertEqual(len(self.upstream.asked), before + 1)

    def test_another_upstream(self) -> None:
        """The other one is asked, however fresh the answer of the first is."""
        self.tag()
        changed = self.upstream.add_manifest("a", MANIFEST + b" ", "t")
        self.renew(is_same=False)
        self.house.clock.advance(61)
        got = self.tag()
        self.assertEqual(got.header("Docker-Content-Digest"), str(changed))


class ReplacedTests(RenewedCase):
    """Who uses the cache of before may go on with it."""

    def test_old_namespace(self) -> None:
        """It still answers, and keeps what it fetches where the new one finds it."""
        old = self.house.proxy
        self.renew(is_same=False)
        self.assertIsNot(self.house.proxy, old)
        self.upstream.rate = 0
        self.house.settle(self.blob())
        self.house.settle(self.blob())
        self.assertEqual(self.asked("GET", "/blobs/"), 1)

    def test_policy(self) -> None:
        """A policy is a value: the one of before is not changed."""
        self.renew(fresh_seconds=1.0)
        self.assertEqual(self.house.policy, TagPolicy(60.0))
