"""Blobs over HTTP."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.locating import STORE, LocatingDriver
from tests.web.test_events import Record
from tests.web.test_web import WebCase
from txregistry.interfaces.driver import FileRequest
from txregistry.interfaces.events import Action
from txregistry.interfaces.observe import Exchange
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName
from txregistry.storage.content import verdicts
from txregistry.storage.tree import layout
from txregistry.testing.house import TestHouse


@contextmanager
def looks(driver: LocatingDriver) -> Iterator[list[tuple[str, str]]]:
    """Give the paths that a driver is asked about, each with the method."""
    found: list[tuple[str, str]] = []
    with ExitStack() as stack:
        for name in ("get", "stat", "reader"):
            works = getattr(driver, name)

            def watched(path, name=name, works=works):
                found.append((name, path))
                return works(path)

            stack.enter_context(patch.object(driver, name, watched, create=True))
        yield found


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


class RedirectTests(SynchronousTestCase):
    """A registry whose storage has URLs."""

    def setUp(self) -> None:
        clock, self.record = Clock(), Record()
        self.driver = LocatingDriver(clock)
        self.house = TestHouse(clock=clock, driver=self.driver, events=self.record)
        digest = Digest.of(b"content")
        path = f"/v2/a/b/blobs/uploads/?digest={digest}"
        self.assertEqual(self.house.send("POST", path, b"content").status, 201)
        self.record.events.clear()
        self.path, self.digest = f"/v2/a/b/blobs/{digest}", digest
        self.url = f"{STORE}{layout.blob_data(digest)}?signed"

    def test_sent_on(self) -> None:
        """GET and HEAD are answered with where the content is."""
        for method in ("GET", "HEAD"):
            got = self.house.send(method, self.path, Range="bytes=2-3")
            self.assertEqual((got.status, got.body), (307, b""))
            self.assertEqual(got.header("Location"), self.url)
            self.assertEqual(got.header("Docker-Content-Digest"), str(self.digest))
            self.assertEqual(got.length, 0)
            address = self.house.recorder.exchanges[-1].peer
            expected = (layout.blob_data(self.digest), FileRequest(method, address))
            self.assertEqual(self.driver.asked[-1], expected)

    def test_not_to_be_kept(self) -> None:
        """A URL that ends is not cached, and nothing describes the redirect itself."""
        got = self.house.send("GET", self.path)
        self.assertEqual(got.header("Cache-Control"), "no-store")
        for name in ("ETag", "Content-Type", "Accept-Ranges", "Content-Range"):
            self.assertIsNone(got.header(name), name)

    def test_told(self) -> None:
        """It counts as a pull, in events, the access log and metrics."""
        self.house.send("HEAD", self.path)
        self.assertEqual(self.record.events, [])
        self.house.send("GET", self.path)
        (event,) = self.record.events
        assert event.target.descriptor is not None
        self.assertEqual(event.action, Action.PULL)
        self.assertEqual(event.target.descriptor.size, 7)
        seen = [(one.handler, one.method, one.status) for one in self.exchanges()]
        self.assertEqual(seen, [("blob", "HEAD", 307), ("blob", "GET", 307)])

    def exchanges(self) -> list[Exchange]:
        return self.house.recorder.exchanges[1:]

    def test_conditions_first(self) -> None:
        """Who has it is told so, and who wants something else."""
        etag = f'"{self.digest}"'
        for method in ("GET", "HEAD"):
            got = self.house.send(method, self.path, If_None_Match=etag)
            self.assertEqual((got.status, got.header("ETag")), (304, etag))
            self.assertIsNone(got.header("Location"))
            got = self.house.send(method, self.path, If_Match='"sha256:other"')
            self.assertEqual(got.status, 412)
            got = self.house.send(method, self.path, If_None_Match='"sha256:other"')
            self.assertEqual(got.status, 307)
        self.assertEqual(len(self.record.events), 1)

    def test_alias(self) -> None:
        """The digest that was asked for is answered, the canonical one located."""
        wanted = Digest.of(b"content", "sha512")
        self.house.send("POST", f"/v2/a/b/blobs/uploads/?digest={wanted}", b"content")
        got = self.house.send("GET", f"/v2/a/b/blobs/{wanted}")
        self.assertEqual(got.header("Docker-Content-Digest"), str(wanted))
        self.assertEqual(got.header("Location"), self.url)

    def test_missing(self) -> None:
        """What another repository has, nobody has, or the storage lost is a 404."""
        for path in (f"/v2/a/c/blobs/{self.digest}", self.path[:-3] + "000"):
            self.assertEqual(self.house.send("GET", path).status, 404)
        self.successResultOf(self.driver.delete(layout.blob_data(self.digest)))
        for method in ("GET", "HEAD"):
            self.assertEqual(self.house.send(method, self.path).status, 404)

    def test_damaged(self) -> None:
        """Nobody is sent to content that is not the one of its digest."""
        path = layout.blob_data(self.digest)
        self.successResultOf(self.driver.put(path, b"CONTENT"))
        self.assertEqual(self.house.send("GET", self.path).status, 404)

    def test_not_verified(self) -> None:
        """Large content comes through us until it is verified."""
        self.patch(verdicts, "VERIFIED_FIRST_BYTES", 4)
        path = layout.blob_data(self.digest)
        self.successResultOf(self.driver.put(path, b"content"))
        got = self.house.send("GET", self.path)
        self.assertEqual((got.status, got.body), (200, b"content"))
        self.assertEqual(self.house.send("GET", self.path).status, 307)

    def test_no_url(self) -> None:
        """A client for which the storage has no URL gets the content."""
        self.driver.store = ""
        got = self.house.send("GET", self.path, Range="bytes=2-3")
        self.assertEqual((got.status, got.body), (206, b"nt"))
        self.assertEqual(self.house.send("HEAD", self.path).status, 200)

    def test_one_look(self) -> None:
        """Whether a client is sent on or not, the storage is asked once."""
        data, link = layout.blob_data(self.digest), layout.layer_link
        missing = Digest.of(b"missing")
        with looks(self.driver) as found:
            self.assertEqual(self.house.send("GET", self.path).status, 307)
            self.assertEqual(found, [("stat", data)])
            found.clear()
            path = self.path.replace(str(self.digest), str(missing))
            self.assertEqual(self.house.send("GET", path).status, 404)
            self.assertEqual(found, [("get", link(RepositoryName("a/b"), missing))])
            found.clear()
            self.driver.store = ""
            self.assertEqual(self.house.send("GET", self.path).status, 200)
            self.assertEqual(found, [("reader", data)])
            found.clear()
            self.assertEqual(self.house.send("HEAD", self.path).status, 200)
            self.assertEqual(found, [("stat", data)])

    def test_disabled(self) -> None:
        """So does everybody where redirects are disabled."""
        self.house.serve_registry(redirects=False)
        got = self.house.send("GET", self.path)
        self.assertEqual((got.status, got.body), (200, b"content"))
        self.assertEqual(self.driver.asked, [])
