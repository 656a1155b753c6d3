"""The S3 driver on a store in memory: the suite of its contract, and what it asks."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.storagedriver.s3.case import PumpingCase, StoreCase
from tests.storagedriver.s3.store import make_place
from txregistry.flow.streams import BoundedConsumer
from txregistry.interfaces.driver import (
    FileRequest,
    InvalidOffset,
    IStorageDriver,
    MoveFile,
    PathNotFound,
    PutFile,
    RemoveTree,
)
from txregistry.testing.drivers import driver_suite

MIB = 1024 * 1024
UPLOAD = "/docker/registry/v2/repositories/a/_uploads/u/data"


def make(test: SynchronousTestCase) -> IStorageDriver:
    place = make_place()
    place.driver._parts.listing.page_keys = 25
    test.place = place  # type: ignore[attr-defined]
    return place.driver


class S3Contract(  # type: ignore[misc]
    PumpingCase, driver_suite(make, is_tree=False, many=60)
):
    """What every driver does."""


class S3DriverTests(StoreCase):
    """What it asks for."""

    def asked(self) -> list[str]:
        found, self.store.asked = self.store.asked, []
        return found

    def test_a_blob_is_one_question(self) -> None:
        """To open and read an object whole is one request."""
        self.store.objects["b"] = b"content"
        reader = self.ok(self.driver.reader("/b"))
        consumer = BoundedConsumer(100)
        self.ok(reader.read(consumer))
        reader.close()
        self.assertEqual(consumer.content, b"content")
        self.assertEqual(self.asked(), ["GET /b"])

    def test_a_small_file_is_one_question(self) -> None:
        """So is one that is read, written, looked at or committed in one part."""
        self.ok(self.driver.put("/b", b"x"))
        self.ok(self.driver.get("/b"))
        self.ok(self.driver.stat("/b"))
        writer = self.ok(self.driver.writer("/c"))
        writer.write(b"y")
        self.ok(writer.commit())
        self.assertEqual(self.asked(), ["PUT /b", "GET /b", "HEAD /b", "PUT /c"])

    def test_large_files_have_parts(self) -> None:
        """A file is stored in parts of the size that is configured."""
        self.use(chunksize=5 * MIB)
        content = b"0123456789abcdef" * (11 * MIB // 16)
        writer = self.ok(self.driver.writer("/w"))
        for start in range(0, len(content), MIB):
            writer.write(content[start : start + MIB])
        self.place.pump()
        (began,) = self.store.uploads.values()
        self.assertEqual([len(part) for part in began.parts.values()], [5 * MIB] * 2)
        self.assertNotIn("w", self.store.objects)
        self.ok(writer.commit())
        self.assertEqual(self.store.objects, {"w": content})
        self.assertEqual(self.store.uploads, {})

    def test_large_move(self) -> None:
        """What is larger than the threshold is copied in parts."""
        self.use(multipartcopychunksize=5 * MIB, multipartcopythresholdsize=6 * MIB)
        self.store.objects["a"] = content = bytes(17 * MIB)
        self.ok(self.driver.move("/a", "/b"))
        self.assertTrue(self.store.objects == {"b": content})
        copied = [line for line in self.asked() if "partNumber" in line]
        self.assertEqual(len(copied), 3)

    def test_apply_is_in_order(self) -> None:
        """Content comes before what links it, and what fails ends it."""
        self.store.objects["up/data"] = b"x"
        steps = [MoveFile("/up/data", "/b"), PutFile("/l", b"b"), RemoveTree("/up")]
        self.ok(self.driver.apply(steps))
        self.assertEqual(self.store.objects, {"b": b"x", "l": b"b"})
        steps = [MoveFile("/none", "/c"), PutFile("/m", b"c")]
        self.failureResultOf(self.driver.apply(steps), PathNotFound)
        self.assertNotIn("m", self.store.objects)

    def test_rootdirectory(self) -> None:
        """All keys are below it, and paths are as without."""
        self.use(rootdirectory="/some/where/")
        self.ok(self.driver.put("/a/b", b""))
        self.assertEqual(self.store.objects, {"some/where/a/b": b""})
        self.assertEqual(self.ok(self.driver.list("/")), ["/a"])
        self.assertEqual(self.ok(self.driver.list("/a")), ["/a/b"])

    def test_headers(self) -> None:
        """What is stored is stored as configured."""
        self.use(encrypt=True, keyid="k", storageclass="COLD", objectacl="public-read")
        self.ok(self.driver.put("/a", b""))
        given = self.store.headers[-1]
        self.assertEqual(given["x-amz-server-side-encryption"], "aws:kms")
        self.assertEqual(given["x-amz-server-side-encryption-aws-kms-key-id"], "k")
        self.assertEqual(given["x-amz-storage-class"], "COLD")
        self.assertEqual(given["x-amz-acl"], "public-read")
        self.assertTrue(given["user-agent"].startswith("txregistry/"))

    def test_url(self) -> None:
        """A URL is signed for a method, and asks nobody."""
        request = FileRequest("GET")
        url = self.ok(self.driver.url("/a/b", request))
        self.assertTrue(url.startswith("http://store.test/bkt/a/b?X-Amz-Algorithm"))
        self.assertIn("X-Amz-Expires=1200&", url)
        other = self.ok(self.driver.url("/a/b", FileRequest("HEAD")))
        self.assertNotEqual(url, other)
        self.use(redirectendpoint="https://cdn.test")
        seen = self.ok(self.driver.url("/a/b", request))
        self.assertTrue(seen.startswith("https://cdn.test/bkt/a/b?"))
        self.assertEqual(self.asked(), [])

    def test_offsets(self) -> None:
        """What is not there cannot be kept."""
        self.failureResultOf(self.driver.writer("/w", 1), InvalidOffset)
        self.failureResultOf(self.driver.writer("/w", -1), InvalidOffset)
