"""Tags and repositories over HTTP."""

from __future__ import annotations

import json

from tests.web.test_web import WebCase
from txregistry.testing.repositories import image_manifest


class CatalogueTests(WebCase):
    """Lists, page by page."""

    def test_catalog(self) -> None:
        """Repositories of which something is stored, page by page."""
        for name in ("foo", "foo-bar/a", "foo/a", "bar"):
            self.house.upstream.add_manifest(name, image_manifest(), "v1")
            self.get(f"/v2/{name}/manifests/v1")
        got = self.get("/v2/_catalog")
        names = json.loads(got.body)["repositories"]
        self.assertEqual(names, ["bar", "foo", "foo/a", "foo-bar/a"])
        seen, path = [], "/v2/_catalog?n=1"
        while path:
            got = self.get(path)
            seen += json.loads(got.body)["repositories"]
            link = got.header("Link")
            path = link and link[1 : link.index(">")]
        self.assertEqual(seen, names)
