"""Uploads over the in-memory wire: each step, and what goes wrong with it."""

from __future__ import annotations

import json
import os
from hashlib import sha256, sha512

from twisted.trial.unittest import SynchronousTestCase

from txregistry.testing.answers import Got
from txregistry.testing.house import TestHouse


class UploadCase(SynchronousTestCase):
    """A complete registry in memory."""

    def setUp(self) -> None:
        self.house = TestHouse()
        self.content = os.urandom(300_000)
        self.digest = "sha256:" + sha256(self.content).hexdigest()

    def begin(self, query: str = "") -> str:
        got = self.house.send("POST", f"/v2/a/b/blobs/uploads/{query}")
        self.assertEqual(got.status, 202, got.body)
        return got.header("Location")

    def put(self, location: str, body: bytes = b"", digest: str = "") -> Got:
        url = f"{location}&digest={digest or self.digest}"
        return self.house.send("PUT", url, body)

    def blob(self, digest: str = "") -> Got:
        return self.house.send("GET", f"/v2/a/b/blobs/{digest or self.digest}")

    def code(self, got: Got) -> tuple[int, str]:
        return got.status, json.loads(got.body)["errors"][0]["code"]

    def leftovers(self) -> list[str]:
        return [path for path in self.house.paths() if "_uploads" in path]


class MonolithicTests(UploadCase):
    """The whole blob at once."""

    def test_post_and_put(self) -> None:
        """POST gives a place, PUT fills and commits it; nothing is left over."""
        got = self.put(self.begin(), self.content)
        self.assertEqual(got.status, 201)
        self.assertEqual(got.header("Docker-Content-Digest"), self.digest)
        self.assertEqual(self.blob().body, self.content)
        self.assertEqual(self.leftovers(), [])

    def test_single_post(self) -> None:
        """POST with a digest takes the blob in one request."""
        got = self.house.send(
            "POST", f"/v2/a/b/blobs/uploads/?digest={self.digest}", self.content
        )
        self.assertEqual(got.status, 201)
        self.assertEqual(self.blob().body, self.content)

    def test_empty(self) -> None:
        """A blob of no bytes is a blob."""
        empty = "sha256:" + sha256().hexdigest()
        self.assertEqual(self.put(self.begin(), b"", empty).status, 201)
        self.assertEqual(self.blob(empty).body, b"")

    def test_wrong_digest(self) -> None:
        """Content of another digest is refused and not kept."""
        got = self.put(self.begin(), self.content[1:])
        self.assertEqual(self.code(got), (400, "DIGEST_INVALID"))
        self.assertEqual(self.blob().status, 404)
        self.assertEqual(self.leftovers(), [])

    def test_missing_digest_keeps_the_upload(self) -> None:
        """A PUT without a digest is a mistake that can be mended."""
        location = self.begin()
        got = self.house.send("PUT", location, self.content)
        self.assertEqual(self.code(got), (400, "DIGEST_INVALID"))
        self.assertEqual(self.put(location, self.content).status, 201)

    def test_other_algorithms(self) -> None:
        """A blob is known by the digest it was pushed with, and by the canonical."""
        digest = "sha512:" + sha512(self.content).hexdigest()
        got = self.put(self.begin(), self.content, digest)
        self.assertEqual(got.header("Docker-Content-Digest"), digest)
        for name in (digest, self.digest):
            found = self.blob(name)
            self.assertEqual(found.body, self.content)
            self.assertEqual(found.header("Docker-Content-Digest"), name)

    def test_push_again_heals(self) -> None:
        """Pushing what is there and damaged puts it right."""
        self.put(self.begin(), self.content)
        path = next(p for p in self.house.paths() if p.endswith("/data"))
        self.house.settle(self.house.driver.put(path, b"damaged"))
        self.put(self.begin(), self.content)
        self.assertEqual(self.blob().body, self.content)


class ChunkTests(UploadCase):
    """A blob in pieces."""

    def patch_chunk(self, location: str, body: bytes, **headers: str) -> Got:
        return self.house.send("PATCH", location, body, **headers)

    def test_chunks(self) -> None:
        """Each chunk goes on where the last ended; Range says how far it is."""
        location = self.begin()
        for start in range(0, 300_000, 100_000):
            piece = self.content[start : start + 100_000]
            got = self.patch_chunk(
                location, piece, Content_Range=f"{start}-{start + 99_999}"
            )
            self.assertEqual(got.status, 202, got.body)
            self.assertEqual(got.header("Range"), f"0-{start + 99_999}")
            location = got.header("Location")
        self.assertEqual(self.put(location).status, 201)
        self.assertEqual(self.blob().body, self.content)

    def test_out_of_order(self) -> None:
        """A chunk that begins elsewhere is 416, and told where to go on."""
        location = self.begin()
        got = self.patch_chunk(location, b"x" * 10, Content_Range="5-14")
        self.assertEqual(self.code(got), (416, "RANGE_INVALID"))
        self.assertEqual(got.header("Range"), "0-0")
        self.assertIn("/blobs/uploads/", got.header("Location"))

    def test_repeated(self) -> None:
        """A chunk that was taken already is 416, and harms nothing."""
        location = self.begin()
        self.patch_chunk(location, self.content[:10], Content_Range="0-9")
        again = self.patch_chunk(location, self.content[:10], Content_Range="0-9")
        self.assertEqual(self.code(again), (416, "RANGE_INVALID"))
        self.assertEqual(again.header("Range"), "0-9")
        got = self.patch_chunk(again.header("Location"), self.content[10:])
        self.assertEqual(self.put(got.header("Location")).status, 201)

    def test_status(self) -> None:
        """GET says how much is there, also with a state of before."""
        location = self.begin()
        newer = self.patch_chunk(location, self.content[:1000]).header("Location")
        for path in (location, newer):
            got = self.house.send("GET", path)
            self.assertEqual((got.status, got.header("Range")), (204, "0-999"))

    def test_cancel(self) -> None:
        """DELETE throws it away; then it is not known any more."""
        location = self.begin()
        self.assertEqual(self.house.send("DELETE", location).status, 204)
        got = self.house.send("GET", location)
        self.assertEqual(self.code(got), (404, "BLOB_UPLOAD_UNKNOWN"))
        self.assertEqual(self.leftovers(), [])

    def test_names_that_no_upload_has(self) -> None:
        """They are as unknown as any other."""
        for name in ("abc", "a=b", "..", "-", "a" * 200):
            got = self.house.send("GET", f"/v2/a/b/blobs/uploads/{name}")
            self.assertEqual(self.code(got), (404, "BLOB_UPLOAD_UNKNOWN"), name)

    def test_hash_state_is_kept(self) -> None:
        """At each pause the digest so far lies beside the upload."""
        got = self.patch_chunk(self.begin(), self.content[:1000])
        state = next(p for p in self.house.paths() if "hashstates/sha256/1000" in p)
        content = self.house.settle(self.house.driver.get(state))
        self.assertEqual((len(content), content[:4]), (108, b"sha\x03"))
        got = self.patch_chunk(got.header("Location"), self.content[1000:])
        self.assertEqual(self.put(got.header("Location")).status, 201)
