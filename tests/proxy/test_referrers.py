"""Referrers through a cache: asked upstream, remembered, never empty by mistake."""

from __future__ import annotations

import json

from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.digest import Digest
from txregistry.spec.freshness import TagPolicy
from txregistry.spec.manifest.parse import parse
from txregistry.testing.answers import Got
from txregistry.testing.house import TestHouse
from txregistry.testing.repositories import image_manifest

SUBJECT = Digest.of(b"subject")
PATH = f"/v2/a/b/referrers/{SUBJECT}"


class ReferrerCase(SynchronousTestCase):
    """A cache in front of an upstream that has a signature."""

    def setUp(self) -> None:
        self.use(TestHouse())

    def use(self, house: TestHouse) -> None:
        self.house = house
        content = image_manifest(subject=SUBJECT, artifact_type="x/signature")
        self.signature = str(self.house.upstream.add_manifest("a/b", content))
        self.manifest = parse(content)

    def get(self, query: str = "") -> Got:
        return self.house.get(PATH + query)

    def listed(self, got: Got) -> list[str]:
        self.assertEqual(got.status, 200, got.body)
        return [item["digest"] for item in json.loads(got.body)["manifests"]]

    def add(self, count: int) -> list[str]:
        """Let more refer to the same subject; give all digests, sorted."""
        for number in range(count):
            content = image_manifest(subject=SUBJECT, artifact_type=f"x/{number}")
            self.house.upstream.add_manifest("a/b", content)
        held = self.house.upstream.manifests.values()
        return sorted(str(Digest.of(content)) for content in held)


class ReferrerTests(ReferrerCase):
    """What is asked, and what is remembered."""

    def test_asked_upstream(self) -> None:
        """The upstream's list is the answer, under the exact type."""
        got = self.get()
        self.assertEqual(self.listed(got), [self.signature])
        kind = "application/vnd.oci.image.index.v1+json"
        self.assertEqual(got.header("Content-Type"), kind)
        self.assertIn("fwd=miss", got.header("Cache-Status"))

    def test_remembered(self) -> None:
        """It is asked for once while it is fresh, filtered or not."""
        self.get()
        got = self.get("?artifactType=x/signature")
        self.assertEqual(self.listed(got), [self.signature])
        self.assertEqual(got.header("OCI-Filters-Applied"), "artifactType")
        self.assertEqual(self.listed(self.get("?artifactType=x/other")), [])
        self.assertEqual(self.house.upstream.count("GET", "/referrers/"), 1)
        self.house.clock.advance(61)
        self.get()
        self.assertEqual(self.house.upstream.count("GET", "/referrers/"), 2)

    def test_outage_without_a_list(self) -> None:
        """A failure is a failure: an empty list would say that nothing is signed."""
        self.house.upstream_wire.refused = Refused()
        self.assertEqual(self.get().status, 502)

    def test_outage_with_stored_ones(self) -> None:
        """Without a list, what is stored is listed and marked as stale."""
        path = f"/v2/a/b/manifests/{self.signature}"
        self.assertEqual(self.house.get(path).status, 200)
        self.house.upstream_wire.refused = Refused()
        got = self.get()
        self.assertEqual(self.listed(got), [self.signature])
        self.assertIn("110", got.header("Warning"))
        self.assertEqual(got.header("Age"), "60")
        self.assertIn("fwd=stale", got.header("Cache-Status"))
        self.assertEqual(self.listed(self.get("?artifactType=x/other")), [])

    def test_outage_with_stored_ones_of_unknown_age(self) -> None:
        """Where stale answers have a limit they are not listed."""
        self.use(TestHouse(policy=TagPolicy(60.0, 3600.0)))
        self.house.get(f"/v2/a/b/manifests/{self.signature}")
        self.house.upstream_wire.refused = Refused()
        self.assertEqual(self.get().status, 502)

    def test_outage_with_a_list(self) -> None:
        """A list that was had before is served, marked as stale."""
        self.get()
        self.house.clock.advance(61)
        self.house.upstream_wire.refused = Refused()
        got = self.get()
        self.assertEqual(self.listed(got), [self.signature])
        self.assertIn("110", got.header("Warning"))
