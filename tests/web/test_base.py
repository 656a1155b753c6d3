"""Whether there is a registry."""

from __future__ import annotations

from tests.web.test_web import WebCase


class BaseTests(WebCase):
    """Liveness, and the version of the API."""

    def test_base(self) -> None:
        """There is a registry, with and without the slash, and no redirect."""
        for path in ("/v2/", "/v2"):
            got = self.get(path)
            self.assertEqual((got.status, got.body), (200, b"{}"))
        version = got.header("Docker-Distribution-Api-Version")
        self.assertEqual(version, "registry/2.0")

    def test_root(self) -> None:
        """The process lives."""
        got = self.get("/")
        self.assertEqual((got.status, got.body), (200, b""))
        self.assertEqual(got.header("Cache-Control"), "no-cache")
        self.assertIsNone(got.header("Docker-Distribution-Api-Version"))
