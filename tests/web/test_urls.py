"""URLs as the client sees them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName, Tag
from txregistry.web.urls import Urls

NAME, DIGEST = RepositoryName.parse("a/b"), Digest.of(b"x")


class UrlTests(SynchronousTestCase):
    """Where a client is sent to."""

    def request(self, secure: bool = False, **forwarded: str) -> Any:
        self.asked = 0

        def find(name: str) -> str:
            self.asked += 1
            return forwarded.get(name.replace("-", "_"), "")

        return SimpleNamespace(
            base=None,
            forwarded=find,
            isSecure=lambda: secure,
            header=lambda name: {"Host": "own:5000"}[name],
        )

    def root(self, urls: Urls, **options: Any) -> str:
        return urls.root(self.request(**options))

    def test_derived(self) -> None:
        """They are made of how the client asked, as proxies say."""
        self.assertEqual(self.root(Urls()), "http://own:5000")
        self.assertEqual(self.root(Urls(), secure=True), "https://own:5000")
        proxied = {"X_Forwarded_Proto": "https", "X_Forwarded_Host": "registry.example"}
        self.assertEqual(self.root(Urls(), **proxied), "https://registry.example")

    def test_configured(self) -> None:
        """A configured host counts before all; relative URLs have none."""
        urls = Urls("https://r.example/", "/sub")
        self.assertEqual(
            self.root(urls, Forwarded="host=evil"), "https://r.example/sub"
        )
        self.assertEqual(self.root(Urls(prefix="/sub", relative=True)), "/sub")

    def test_once(self) -> None:
        """Headers are read once for all URLs of an answer."""
        urls, request = Urls(), self.request()
        urls.blob(request, NAME, DIGEST)
        asked = self.asked
        urls.root(request)
        self.assertEqual(self.asked, asked)

    def test_paths(self) -> None:
        """Blobs, manifests by digest or tag, and uploads with their quoted state."""
        urls, request = Urls(relative=True), self.request()
        self.assertEqual(urls.blob(request, NAME, DIGEST), f"/v2/a/b/blobs/{DIGEST}")
        for reference in (DIGEST, Tag.parse("v1")):
            expected = f"/v2/a/b/manifests/{reference}"
            self.assertEqual(urls.manifest(request, NAME, reference), expected)
        found = urls.upload(request, NAME, "id", "a/b+c=&d")
        expected = "/v2/a/b/blobs/uploads/id?_state=a%2Fb%2Bc%3D%26d"
        self.assertEqual(found, expected)
