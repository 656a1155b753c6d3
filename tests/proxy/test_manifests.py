"""Manifests of a cache."""

from __future__ import annotations

from tests.proxy.test_tags import TagCase
from txregistry.testing.repositories import image_manifest


class ManifestTests(TagCase):
    """Wrong ones, damaged ones, and those of other repositories."""

    def test_served(self) -> None:
        """Its bytes are counted whether it was here or not."""
        digest = self.first
        for served, of_hits in ((1, 0), (2, 1)):
            got = self.house.get(f"/v2/lib/x/manifests/{digest}")
            labels = {"type": "manifest", "upstream": "upstream.example"}
            for name, times in (("pushed", served), ("hit", of_hits)):
                found = self.house.count(f"registry_proxy_{name}_bytes_total", **labels)
                self.assertEqual(found, times * len(got.body))

    def test_linking_a_manifest(self) -> None:
        """A manifest of another repository costs a HEAD, not a pull."""
        self.house.upstream.add_manifest("lib/y", image_manifest(), "v1")
        self.digest()
        got = self.house.get(f"/v2/lib/y/manifests/{self.first}")
        self.assertEqual(got.status, 200)
        self.assertEqual(self.gets(), 1)

    def test_wrong_manifest_is_not_served(self) -> None:
        """A manifest that does not match its digest is 502 and not stored."""
        self.house.upstream.manifests["lib/x", str(self.first)] = image_manifest(
            note="another"
        )
        got = self.house.get(f"/v2/lib/x/manifests/{self.first}")
        self.assertEqual(got.status, 502)
        self.assertEqual(self.house.paths(), [])

    def test_damaged_manifest_heals(self) -> None:
        """A stored manifest whose bytes have changed is fetched again."""
        self.digest()
        path = next(p for p in self.house.paths() if self.first.hex + "/data" in p)
        self.successResultOf(self.house.driver.put(path, b"{}"))
        self.house.content._caches.manifests.drop_everywhere(self.first)
        got = self.house.get(f"/v2/lib/x/manifests/{self.first}")
        self.assertEqual(got.body, image_manifest())
