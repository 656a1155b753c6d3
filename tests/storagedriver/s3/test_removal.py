"""What is deleted."""

from __future__ import annotations

from tests.storagedriver.s3.case import StoreCase

UPLOAD = "/docker/registry/v2/repositories/a/_uploads/u/data"


class RemovalTests(StoreCase):
    """Directories, and uploads that nobody goes on with."""

    def asked(self) -> list[str]:
        found, self.store.asked = self.store.asked, []
        return found

    def test_delete_of_many(self) -> None:
        """Many objects go by the page, with uploads among them."""
        for number in range(30):
            self.store.objects[f"d/{number}"] = b""
        self.driver._parts.listing.page_keys = 10
        writer = self.ok(self.driver.writer("/d/w"))
        writer.write(b"x")
        self.ok(writer.close())
        self.ok(self.driver.delete("/d"))
        self.assertEqual((self.store.objects, self.store.uploads), ({}, {}))
        self.assertEqual(self.asked().count("POST / delete"), 3)

    def test_sweep(self) -> None:
        """Old uploads in parts go, but for those that a client may go on with."""
        for path in (UPLOAD, "/blobs/b/data"):
            writer = self.ok(self.driver.writer(path))
            writer.write(b"x")
            self.ok(writer.close())
        self.store.objects[UPLOAD.rpartition("/")[0][1:] + "/startedat"] = b""
        self.assertEqual(self.ok(self.driver.sweep("/", 0.0)), 0)
        self.assertEqual(self.ok(self.driver.sweep("/", 2e9)), 1)
        (left,) = self.store.uploads.values()
        self.assertEqual(f"/{left.key}", UPLOAD)
        self.store.objects.clear()
        self.assertEqual(self.ok(self.driver.sweep("/", 2e9)), 1)
        self.ok(self.driver.prune("/a", "/"))
