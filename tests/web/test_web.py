"""The HTTP API over the in-memory wire."""

from __future__ import annotations

import json
import os
import re

from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec import mediatypes
from txregistry.spec.digest import Digest
from txregistry.testing.house import TestHouse
from txregistry.testing.repositories import image_manifest
from txregistry.testing.upstream import Fault


class WebCase(SynchronousTestCase):
    """A cache with a blob and a manifest upstream."""

    prefix = ""

    def setUp(self) -> None:
        self.house = TestHouse(prefix=self.prefix)
        self.content = os.urandom(10_000)
        self.blob = self.house.upstream.add_blob("a/b", self.content)
        self.manifest = self.house.upstream.add_manifest("a/b", image_manifest(), "v1")
        self.blob_path = f"/v2/a/b/blobs/{self.blob}"

    def get(self, path: str, **headers: str):
        return self.house.get(path, **headers)

    def error(self, path: str, method: str = "GET", **headers: str) -> tuple[int, str]:
        got = self.house.settle(self.house.ask(method, path, **headers))
        self.assertEqual(got.header("Content-Type"), "application/json")
        self.assertEqual(got.length, len(got.body))
        return got.status, json.loads(got.body)["errors"][0]["code"]


class BaseTests(WebCase):
    """What every answer has in common."""

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

    def test_errors_are_json(self) -> None:
        """Paths, methods and values that are wrong are told in OCI's form."""
        other = Digest.of(b"none")
        for path, expected in (
            ("/nowhere", (404, "NOT_FOUND")),
            ("/v2/a/b/nonsense/x", (404, "NOT_FOUND")),
            ("/v2/A/manifests/v1", (400, "NAME_INVALID")),
            ("/v2/a//b/manifests/v1", (400, "NAME_INVALID")),
            ("/v2/a/../b/manifests/v1", (400, "NAME_INVALID")),
            ("/v2/a/b/manifests/-bad", (404, "MANIFEST_UNKNOWN")),
            ("/v2/a/b/manifests/sha256:bad", (400, "DIGEST_INVALID")),
            ("/v2/a/b/blobs/sha257:bad", (400, "DIGEST_INVALID")),
            (f"/v2/a/b/blobs/{other}", (404, "BLOB_UNKNOWN")),
            (f"/v2/a/b/manifests/{other}", (404, "MANIFEST_UNKNOWN")),
            ("/v2/a/b/manifests/none", (404, "MANIFEST_UNKNOWN")),
            ("/v2/x/tags/list", (404, "NAME_UNKNOWN")),
            ("/v2/%ff%fe/tags/list", (404, "NOT_FOUND")),
            ("/v2/%C3%A4/tags/list", (400, "NAME_INVALID")),
            ("/v2/host:80/x/manifests/v1", (400, "NAME_INVALID")),
            ("/v2/a/b/tags/list?n=x", (400, "PAGINATION_NUMBER_INVALID")),
        ):
            self.assertEqual((path, self.error(path)), (path, expected))

    def test_method_not_allowed(self) -> None:
        """A method that a route does not have is 405, and Allow says which it has."""
        got = self.house.settle(self.house.ask("DELETE", "/v2/"))
        self.assertEqual(got.status, 405)
        self.assertEqual(got.header("Allow"), "GET, HEAD")
        self.assertEqual(self.error("/v2/", "DELETE"), (405, "UNSUPPORTED"))

    def test_errors_on_head(self) -> None:
        """HEAD has the status and no body."""
        got = self.house.head("/v2/a/b/manifests/none")
        self.assertEqual((got.status, got.body), (404, b""))

    def test_unforeseen_error(self) -> None:
        """What nobody foresaw is 500 with an id that is in the log."""
        self.house.proxy._repositories = None
        got = self.get(self.blob_path)
        self.assertEqual(got.status, 500)
        identity = json.loads(got.body)["errors"][0]["detail"]["request"]
        self.assertRegex(identity, "^[0-9a-f]{32}$")
        self.assertEqual(len(self.flushLoggedErrors()), 1)

    def test_every_exchange_is_reported_once(self) -> None:
        """Whatever became of it."""
        self.get("/v2/")
        self.get("/nowhere")
        # Large enough that its answer begins before the digest is known.
        blob = self.house.upstream.add_blob("a/b", os.urandom(200_000))
        self.house.upstream.faults.append(Fault("/blobs/", corrupt=1))
        self.get(f"/v2/a/b/blobs/{blob}")
        found = [(e.handler, e.status) for e in self.house.recorder.exchanges]
        self.assertEqual(found, [("base", 200), ("unknown", 404), ("blob", 200)])
        self.assertTrue(self.house.recorder.exchanges[-1].aborted)

    def test_state_of_an_upload_is_not_reported(self) -> None:
        """Whoever reads a log cannot go on with somebody's upload."""
        for query, told in (
            ("_state=secret", "_state=-"),
            ("_state=secret&digest=d", "_state=-&digest=d"),
            ("digest=d&_state=secret&_state=other", "digest=d&_state=-&_state=-"),
            ("my_state=open", "my_state=open"),
        ):
            self.get(f"/v2/?{query}")
            self.assertEqual(self.house.recorder.exchanges[-1].uri, f"/v2/?{told}")

    def test_refused_body_is_not_kept(self) -> None:
        """The body of a push is dropped; after a long one the connection ends."""
        for size in (1000, 3_000_000):
            from treq.client import HTTPClient

            from txregistry.flow.bytes_body import SmallBody

            asked = HTTPClient(self.house.wire).put(
                "http://cache.example/v2/a/b/manifests/v1", data=SmallBody(b"x" * size)
            )
            self.assertEqual(self.house.settle(asked).code, 405)
        self.house.pump()
        self.assertLessEqual(self.house.wire.open_connections, 1)


class BlobTests(WebCase):
    """Blobs."""

    def test_headers(self) -> None:
        """Cold and warm, GET and HEAD say the same of a blob."""
        for _ in range(2):
            for got in (self.house.head(self.blob_path), self.get(self.blob_path)):
                self.assertEqual(got.status, 200)
                for name, value in (
                    ("Content-Type", "application/octet-stream"),
                    ("Docker-Content-Digest", str(self.blob)),
                    ("ETag", f'"{self.blob}"'),
                    ("Accept-Ranges", "bytes"),
                    ("Cache-Control", "max-age=31536000"),
                ):
                    self.assertEqual(got.header(name), value)
            self.assertEqual(got.body, self.content)

    def test_head_downloads_nothing(self) -> None:
        """HEAD of a cold blob is a HEAD upstream."""
        self.house.head(self.blob_path)
        self.assertEqual(self.house.upstream.count("GET", "/blobs/"), 0)
        self.assertEqual(self.house.paths(), [])

    def test_not_modified(self) -> None:
        """A client that has it is told so, with the digest."""
        for got in (
            self.get(self.blob_path, If_None_Match=f'"{self.blob}"'),
            self.house.head(self.blob_path, If_None_Match="*"),
        ):
            self.assertEqual((got.status, got.body), (304, b""))
            self.assertEqual(got.header("Docker-Content-Digest"), str(self.blob))
            self.assertEqual(got.header("ETag"), f'"{self.blob}"')

    def test_range(self) -> None:
        """One part, on a cold and on a warm blob."""
        for _ in range(2):
            got = self.get(self.blob_path, Range="bytes=10-19")
            self.assertEqual((got.status, got.body), (206, self.content[10:20]))
            self.assertEqual(got.header("Content-Range"), "bytes 10-19/10000")
            got = self.get(self.blob_path, Range="bytes=0-")
            self.assertEqual((got.status, got.body), (206, self.content))

    def test_if_range(self) -> None:
        """A range of something else is the whole."""
        got = self.get(self.blob_path, Range="bytes=0-1", If_Range='"other"')
        self.assertEqual((got.status, got.body), (200, self.content))

    def test_unsatisfiable_range(self) -> None:
        """416 says how long it is, and has a length of its own."""
        got = self.get(self.blob_path, Range="bytes=10000-")
        self.assertEqual(got.status, 416)
        self.assertEqual(got.header("Content-Range"), "bytes */10000")
        self.assertEqual(json.loads(got.body)["errors"][0]["code"], "RANGE_INVALID")

    def test_multipart(self) -> None:
        """Several parts, each with its place, and a right length."""
        spans = [(0, 4), (9000, 9099), (50, 50)]
        header = "bytes=" + ",".join(f"{a}-{b}" for a, b in spans)
        for _ in range(2):
            got = self.get(self.blob_path, Range=header)
            self.assertEqual(got.status, 206)
            boundary = re.fullmatch(
                "multipart/byteranges; boundary=(.+)", got.header("Content-Type")
            )[1]
            parts = got.body.split(f"--{boundary}".encode())[1:-1]
            self.assertEqual(len(parts), len(spans))
            for part, (start, end) in zip(parts, spans, strict=True):
                head, _, body = part.partition(b"\r\n\r\n")
                self.assertIn(f"bytes {start}-{end}/10000".encode(), head)
                self.assertEqual(body, self.content[start : end + 1] + b"\r\n")


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


class PrefixTests(WebCase):
    """A prefix before /v2/."""

    prefix = "/cache"

    def test_prefix(self) -> None:
        """Only below the prefix is there a registry; links keep it."""
        self.assertEqual(self.get("/cache/v2/").status, 200)
        self.assertEqual(self.get("/v2/").status, 404)
        self.house.upstream.add_manifest("a/b", image_manifest(), "v2")
        got = self.get("/cache/v2/a/b/tags/list?n=1")
        self.assertIn("</cache/v2/a/b/tags/list?", got.header("Link"))


class DrainTests(WebCase):
    """Stopping while requests are under way."""

    def test_drain_waits_for_answers(self) -> None:
        """Answers under way are finished, and the connections closed."""
        self.house.upstream.rate = 20_000
        asked = self.house.ask("GET", self.blob_path)
        self.house.pump()
        drained = self.house.site.drain(30)
        self.assertNoResult(drained)
        got = self.house.settle(asked)
        self.assertEqual((got.broken, got.body), (False, self.content))
        self.successResultOf(drained)

    def test_drain_does_not_wait_for_ever(self) -> None:
        """What takes too long is cut."""
        self.house.upstream.faults.append(Fault("/blobs/", hang=True, times=9))
        asked = self.house.ask("GET", self.blob_path)
        asked.addErrback(lambda failure: None)
        self.house.pump()
        drained = self.house.site.drain(5)
        self.house.clock.advance(5)
        self.successResultOf(drained)
        self.house.pump()
        self.assertEqual(self.house.wire.open_connections, 0)
