"""What is deleted."""

from __future__ import annotations

from tests.storagedriver.s3.case import StoreCase
from tests.storagedriver.s3.store import TIME
from txregistry.interfaces.driver import DriverError

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

    def fill(self) -> None:
        for name in "abc":
            self.store.objects[f"d/{name}"] = b""

    def test_some_are_left(self) -> None:
        """What the store has not deleted for now is asked for again, after a wait."""
        self.fill()
        self.store.stuck = {"d/b": ["SlowDown", "InternalError"], "d/c": ["NoSuchKey"]}
        began = self.clock.seconds()
        self.later(self.driver.delete("/d"))
        self.assertGreater(self.clock.seconds(), began)
        self.assertEqual(list(self.store.objects), ["d/c"])
        self.assertEqual(self.asked().count("POST / delete"), 3)

    def test_some_stay(self) -> None:
        """What it will not delete is told, at once or when all attempts are made."""
        self.fill()
        self.store.stuck = {"d/a": ["SlowDown"], "d/b": ["AccessDenied"]}
        error = self.failureResultOf(self.driver.delete("/d"), DriverError).value
        self.assertEqual(error.reason, "403 AccessDenied")
        self.store.stuck = {"d/a": ["SlowDown"] * 9}
        error = self.fails(self.driver.delete("/d"), DriverError)
        self.assertEqual(error.reason, "503 SlowDown")
        self.assertEqual(list(self.store.objects), ["d/a"])

    def test_late_refusal(self) -> None:
        """So is a whole request that fails behind a good status."""
        self.fill()
        late = b"<Error><Code>InternalError</Code></Error>"
        removal = self.driver._parts.removal
        self.store.broken = [(200, late)]
        self.later(removal._objects(list(self.store.objects)))
        self.assertEqual(self.store.objects, {})

    def test_one_by_one(self) -> None:
        """A store that does not delete several at once is asked for each."""
        self.fill()
        self.store.strict = True
        self.ok(self.driver.delete("/d"))
        self.assertEqual(self.store.objects, {})
        self.assertEqual(self.asked().count("POST / delete"), 1)

    def test_nothing_is_there(self) -> None:
        """A store that finds nothing to delete has done what it was asked to."""
        self.store.strict = True
        self.ok(self.driver._parts.removal.file("x"))
        writer = self.ok(self.driver.writer(UPLOAD))
        writer.write(b"x")
        self.ok(writer.close())
        writer = self.ok(self.driver.writer(UPLOAD, 1))
        self.ok(writer.cancel())
        self.assertEqual(self.store.uploads, {})

    def test_uploads_first(self) -> None:
        """As long as a directory is there, its uploads are not forgotten."""
        writer = self.ok(self.driver.writer("/d/w"))
        writer.write(b"x")
        self.ok(writer.close())
        self.fill()
        self.store.stuck = {"d/a": ["AccessDenied"]}
        self.failureResultOf(self.driver.delete("/d"), DriverError)
        self.assertEqual((list(self.store.objects), self.store.uploads), (["d/a"], {}))
        self.ok(self.driver.delete("/d"))

    def test_sweep(self) -> None:
        """Old uploads in parts go, but for those that a client may go on with."""
        for path in (UPLOAD, "/blobs/b/data"):
            writer = self.ok(self.driver.writer(path))
            writer.write(b"x")
            self.ok(writer.close())
        self.store.objects[UPLOAD.rpartition("/")[0][1:] + "/startedat"] = b""
        self.assertEqual(self.ok(self.driver.sweep("/", 0.0)), 0)
        self.store.time = "once"
        self.assertEqual(self.ok(self.driver.sweep("/", 2e9)), 0)
        self.store.time = TIME
        self.assertEqual(self.ok(self.driver.sweep("/", 2e9)), 1)
        (left,) = self.store.uploads.values()
        self.assertEqual(f"/{left.key}", UPLOAD)
        self.store.objects.clear()
        self.assertEqual(self.ok(self.driver.sweep("/", 2e9)), 1)
        self.ok(self.driver.prune("/a", "/"))
