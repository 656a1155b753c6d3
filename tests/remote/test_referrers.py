"""Lists of referrers of an upstream."""

from __future__ import annotations

from tests.proxy.test_referrers import ReferrerCase
from txregistry.remote import pages
from txregistry.remote import referrers as remote
from txregistry.spec.digest import Digest
from txregistry.spec.manifest.listing import write_listing
from txregistry.testing.upstream import Fault

SUBJECT = Digest.of(b"subject")


class ReferrerListTests(ReferrerCase):
    """With and without an API for them."""

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
