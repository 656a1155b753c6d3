"""Referrers through a cache: asked upstream, remembered, never empty by mistake."""

from __future__ import annotations

import json

from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.trial.unittest import SynchronousTestCase

from txregistry.remote import pages
from txregistry.remote import referrers as remote
from txregistry.spec.digest import Digest
from txregistry.spec.manifest.listing import write_listing
from txregistry.spec.manifest.parse import parse
from txregistry.testing.house import Got, TestHouse
from txregistry.testing.repositories import image_manifest
from txregistry.testing.upstream import Fault

SUBJECT = Digest.of(b"subject")
PATH = f"/v2/a/b/referrers/{SUBJECT}"


class ReferrerTests(SynchronousTestCase):
    """A cache in front of an upstream that has a signature."""

    def setUp(self) -> None:
        self.house = TestHouse()
        content = image_manifest(subject=SUBJECT, artifact_type="x/signature")
        self.signature = str(self.house.upstream.add_manifest("a/b", content))
        self.manifest = parse(content)

    def get(self, query: str = "") -> Got:
        return self.house.get(PATH + query)

    def listed(self, got: Got) -> list[str]:
        self.assertEqual(got.status, 200, got.body)
        return [item["digest"] for item in json.loads(got.body)["manifests"]]

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

    def test_tag_schema(self) -> None:
        """An upstream without the API has them under a tag."""
        upstream = self.house.upstream
        upstream.has_referrers = False
        self.assertEqual(self.listed(self.get()), [])
        self.house.clock.advance(61)
        entry = (self.manifest.descriptor, "x/signature", {})
        tag = f"sha256-{SUBJECT.hex}"
        upstream.add_manifest("a/b", write_listing([entry]), tag)
        self.assertEqual(self.listed(self.get()), [self.signature])

    def add(self, count: int) -> list[str]:
        """Let more refer to the same subject; give all digests, sorted."""
        for number in range(count):
            content = image_manifest(subject=SUBJECT, artifact_type=f"x/{number}")
            self.house.upstream.add_manifest("a/b", content)
        held = self.house.upstream.manifests.values()
        return sorted(str(Digest.of(content)) for content in held)

    def test_pages(self) -> None:
        """All pages of the upstream make one list."""
        self.house.upstream.referrers_page = 3
        everything = self.add(9)
        self.assertEqual(self.listed(self.get()), everything)
        self.assertEqual(self.house.upstream.count("GET", "/referrers/"), 4)

    def test_list_without_an_end(self) -> None:
        """A part of a list is never served for the whole."""
        self.house.upstream.referrers_page = 3
        self.add(9)
        self.patch(pages, "MAX_PAGES", 3)
        self.assertIn(b"sent a list that is too long", self.get().body)

    def test_list_too_long_to_hold(self) -> None:
        """Nor is more of it held than there is room for."""
        self.house.upstream.referrers_page = 3
        self.add(9)
        self.patch(remote, "MAX_LIST_BYTES", 1500)
        self.assertIn(b"sent a list that is too long", self.get().body)

    def test_pages_of_another_host(self) -> None:
        """The next page is asked of the upstream itself, whatever host it names."""
        link = {"Link": "<http://elsewhere.example/v2/a/b/referrers/x?p=2>; rel=next"}
        fault = Fault("/referrers/", status=200, headers=link, times=1)
        self.house.upstream.faults.append(fault)
        self.get()
        hosts = {asked.headers["host"] for asked in self.house.upstream.asked}
        self.assertEqual(hosts, {"upstream.example"})
        asked = [asked.path for asked in self.house.upstream.asked]
        self.assertIn("/v2/a/b/referrers/x?p=2", asked)

    def test_outage_without_a_list(self) -> None:
        """A failure is a failure: an empty list would say that nothing is signed."""
        self.house.upstream_wire.refused = Refused()
        self.assertEqual(self.get().status, 502)

    def test_failures(self) -> None:
        """So are errors of the upstream, in the API and in its tags."""
        self.house.upstream.faults.append(Fault("/referrers/", status=500, times=99))
        self.assertEqual(self.get().status, 502)
        self.house.upstream.faults[:] = [
            Fault("/referrers/", status=404, times=99),
            Fault("/manifests/sha256-", status=403, times=99),
        ]
        self.house.clock.advance(61)
        self.assertGreaterEqual(self.get().status, 400)

    def test_outage_with_a_list(self) -> None:
        """A list that was had before is served, marked as stale."""
        self.get()
        self.house.clock.advance(61)
        self.house.upstream_wire.refused = Refused()
        got = self.get()
        self.assertEqual(self.listed(got), [self.signature])
        self.assertIn("110", got.header("Warning"))
