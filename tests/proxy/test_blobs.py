"""Blobs of a cache."""

from __future__ import annotations

from tests.proxy.test_tags import TagCase


class BlobTests(TagCase):
    """Damaged ones, and those of other repositories."""

    def test_linking_costs_no_second_download(self) -> None:
        """Content of another repository is linked once upstream confirms access."""
        content = b"shared" * 50_000
        digest = self.house.upstream.add_blob("lib/a", content)
        self.house.upstream.add_blob("lib/b", content)
        self.house.get(f"/v2/lib/a/blobs/{digest}")
        got = self.house.get(f"/v2/lib/b/blobs/{digest}")
        self.assertEqual(got.body, content)
        self.assertEqual(self.house.upstream.count("GET", "/blobs/"), 1)
        self.assertEqual(self.house.get(f"/v2/lib/c/blobs/{digest}").status, 404)

    def test_truncated_blob_heals(self) -> None:
        """A stored blob that has lost its end is fetched again."""
        digest = self.house.upstream.add_blob("lib/x", b"x" * 1000)
        target = f"/v2/lib/x/blobs/{digest}"
        self.house.get(target)
        path = next(p for p in self.house.paths() if digest.hex + "/data" in p)
        self.successResultOf(self.house.driver.put(path, b"x" * 10))
        self.assertEqual(self.house.get(target).body, b"x" * 1000)

    def test_vanished_blob_heals(self) -> None:
        """A stored blob whose data went away behind our back is fetched again."""
        digest = self.house.upstream.add_blob("lib/x", b"x" * 1000)
        target = f"/v2/lib/x/blobs/{digest}"
        self.house.get(target)
        path = next(p for p in self.house.paths() if digest.hex + "/data" in p)
        self.successResultOf(self.house.driver.delete(path))
        self.assertEqual(self.house.get(target).body, b"x" * 1000)
