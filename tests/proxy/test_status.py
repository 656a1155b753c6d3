"""What each answer of a cache says of where it came from."""

from __future__ import annotations

from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.digest import Digest
from txregistry.spec.freshness import TagPolicy
from txregistry.testing.house import TestHouse
from txregistry.testing.repositories import image_manifest
from txregistry.testing.upstream import Fault

TAG = "/v2/lib/x/manifests/v1"
TAGS = "/v2/lib/x/tags/list"
NONE = Digest.of(b"none")

#: What an upstream may be asked for that it does not have.
ABSENT = (
    "/v2/lib/x/manifests/none",
    f"/v2/lib/x/manifests/{NONE}",
    f"/v2/lib/x/blobs/{NONE}",
    "/v2/none/tags/list",
)


class StatusTests(SynchronousTestCase):
    """``Cache-Status`` (RFC 9211), on answers of every kind."""

    def setUp(self) -> None:
        self.use(TestHouse())

    def use(self, house: TestHouse) -> None:
        self.house = house
        self.blob = house.upstream.add_blob("lib/x", b"blob")
        self.manifest = house.upstream.add_manifest("lib/x", image_manifest(), "v1")

    def lose_upstream(self) -> None:
        self.house.upstream_wire.refused = Refused()

    def of(self, path: str, method: str = "GET") -> tuple[int, str | None]:
        got = self.house.settle(self.house.ask(method, path))
        return got.status, got.header("Cache-Status")

    def assertAll(self, wanted: tuple[int, str], *paths: str) -> None:
        """GET and HEAD of these are answered so."""
        for path in paths:
            for method in ("GET", "HEAD"):
                self.assertEqual((path, self.of(path, method)), (path, wanted))

    def test_list_of_tags(self) -> None:
        """A list comes from the upstream, and then from what was kept of it."""
        self.assertEqual(self.of(TAGS), (200, "txregistry; fwd=miss; stored"))
        self.assertEqual(self.of(TAGS), (200, "txregistry; hit"))
        self.house.clock.advance(61)
        self.assertEqual(self.of(TAGS), (200, "txregistry; fwd=miss; stored"))

    def test_list_that_is_not_kept(self) -> None:
        """Where nothing is to be kept of it, it does not say so."""
        self.use(TestHouse(policy=TagPolicy(0.0)))
        self.assertAll((200, "txregistry; fwd=miss"), TAGS)

    def test_list_for_several(self) -> None:
        """Those who waited for one question say that as well."""
        asked = [self.house.ask("GET", TAGS) for _ in range(3)]
        found = [self.house.settle(one).header("Cache-Status") for one in asked]
        first, second, third = found
        self.assertEqual(first, "txregistry; fwd=miss; stored")
        self.assertEqual(second, "txregistry; fwd=miss; stored; collapsed")
        self.assertEqual(third, second)

    def test_head_of_a_tag(self) -> None:
        """HEAD of a tag that is not known yet is a miss, and then a hit."""
        self.assertEqual(self.of(TAG, "HEAD"), (200, "txregistry; fwd=miss"))
        self.assertEqual(self.of(TAG, "HEAD"), (200, "txregistry; hit"))

    def test_tag_that_still_holds(self) -> None:
        """A manifest that is here is a hit, though its tag was asked for."""
        self.assertEqual(self.of(TAG), (200, "txregistry; fwd=miss; stored"))
        self.house.clock.advance(61)
        self.assertEqual(self.of(TAG), (200, "txregistry; hit"))

    def test_not_found(self) -> None:
        """That the upstream has not got it is an answer of the upstream."""
        self.assertAll((404, "txregistry; fwd=miss"), *ABSENT)

    def test_tag_that_is_gone(self) -> None:
        """A tag that was here and is deleted upstream is one, too."""
        self.of(TAG)
        del self.house.upstream.manifests["lib/x", "v1"]
        self.house.clock.advance(61)
        self.assertAll((404, "txregistry; fwd=miss"), TAG)

    def test_upstream_away(self) -> None:
        """So is that it could not be asked, and nothing passes for stored."""
        self.lose_upstream()
        here = (TAG, TAGS, f"/v2/lib/x/blobs/{self.blob}")
        for path in (*ABSENT, *here, f"/v2/lib/x/manifests/{self.manifest}"):
            status, told = self.of(path)
            self.assertIn(status, (502, 503), path)
            self.assertEqual(told, "txregistry; fwd=miss", path)

    def test_upstream_that_fails(self) -> None:
        """One that answers with an error of its own is no better."""
        self.house.upstream.faults.append(Fault("", status=500, times=1000))
        for path in (TAG, TAGS, f"/v2/lib/x/blobs/{self.blob}"):
            self.assertEqual(self.of(path), (502, "txregistry; fwd=miss"), path)

    def test_upstream_away_after_it_was_asked(self) -> None:
        """What is stored is a stale hit then, of lists as of tags."""
        self.of(TAG)
        self.of(TAGS)
        self.house.clock.advance(61)
        self.lose_upstream()
        for path in (TAG, TAGS):
            status, told = self.of(path)
            self.assertEqual(status, 200)
            self.assertIn("txregistry; hit; fwd=stale", told or "")

    def test_registry(self) -> None:
        """What is no cache has nothing to say of it."""
        for path in (*ABSENT, TAGS):
            got = self.house.send("GET", path)
            self.assertEqual((got.status, got.header("Cache-Status")), (404, None))
