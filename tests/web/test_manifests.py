"""Manifests over HTTP."""

from __future__ import annotations

from tests.web.test_web import WebCase
from txregistry.spec import mediatypes
from txregistry.testing.repositories import image_manifest


class ManifestTests(WebCase):
    """Manifests."""

    def test_headers(self) -> None:
        """By tag and by digest, cold and warm."""
        for reference in ("v1", self.manifest, "v1"):
            for got in (
                self.house.head(f"/v2/a/b/manifests/{reference}"),
                self.get(f"/v2/a/b/manifests/{reference}"),
            ):
                self.assertEqual(got.status, 200)
                self.assertEqual(got.header("Content-Type"), mediatypes.OCI_MANIFEST)
                self.assertEqual(
                    got.header("Docker-Content-Digest"), str(self.manifest)
                )
            self.assertEqual(got.body, image_manifest())

    def test_accept(self) -> None:
        """What a client cannot read is not sent; wildcards and q-values count."""
        path = f"/v2/a/b/manifests/{self.manifest}"
        self.assertEqual(self.get(path, Accept="*/*;q=0.1").status, 200)
        self.assertEqual(self.get(path, Accept="application/*").status, 200)
        refused = self.error(path, Accept=mediatypes.OCI_INDEX)
        self.assertEqual(refused, (404, "MANIFEST_UNKNOWN"))

    def test_range_from_zero(self) -> None:
        """containerd asks for bytes=0- of manifests, too."""
        got = self.get(f"/v2/a/b/manifests/{self.manifest}", Range="bytes=0-")
        self.assertEqual((got.status, got.body), (206, image_manifest()))

    def test_not_modified(self) -> None:
        """304 with the digest."""
        got = self.get("/v2/a/b/manifests/v1", If_None_Match=str(self.manifest))
        self.assertEqual((got.status, got.body), (304, b""))
        self.assertEqual(got.header("Docker-Content-Digest"), str(self.manifest))

    def test_ambiguous_names(self) -> None:
        """Names may contain the words of the API."""
        for name in ("a/manifests", "a/blobs/uploads", "tags/list"):
            self.house.upstream.add_manifest(name, image_manifest(), "tags")
            self.assertEqual(self.get(f"/v2/{name}/manifests/tags").status, 200)

    def test_ns_is_tolerated(self) -> None:
        """A containerd says which registry it means."""
        self.assertEqual(self.get("/v2/a/b/manifests/v1?ns=docker.io").status, 200)
