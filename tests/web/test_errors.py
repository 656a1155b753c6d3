"""What clients and logs are told of errors."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import Deferred, fail

from tests.web.raw import Line
from tests.web.test_gone import CONTENT, DIGEST, UPLOAD, GoneCase, waits
from tests.web.test_web import WebCase
from txregistry.interfaces.driver import DriverError, FileBusy
from txregistry.spec.digest import Digest
from txregistry.storage.uploads.upload_writer import Upload
from txregistry.storagedriver.inmemory import MemoryDriver


class StorageFailureTests(GoneCase):
    """A storage that fails later, when nothing says any more who asked."""

    def fail_later(self, verb: str) -> list[Deferred[Any]]:
        waiting: list[Deferred[Any]] = []
        self.patch(MemoryDriver, verb, lambda *_, **__: waits(waiting))
        return waiting

    def test_told_with_the_id(self) -> None:
        """The log has the id that the client was told, and the reason."""
        waiting = self.fail_later("apply")
        line = Line(self.house)
        head = f"POST {UPLOAD} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(CONTENT)}"
        line.send(head.encode() + b"\r\n\r\n" + CONTENT)
        waiting.pop().errback(DriverError("inmemory", "/x", "no space"))
        self.house.pump()
        (answer,) = line.answers()
        detail = json.loads(answer.body)["errors"][0]["detail"]
        self.assertEqual((answer.status, detail["reason"]), (503, "storage: no space"))
        told = self.line("storage failed")
        self.assertIn("storage failed: inmemory: /x: no space", told)
        self.assertIn("the request fails: POST /v2/", told)
        self.assertIsOfLast(told)
        self.assertEqual(detail["request"], self.last.request_id)
        self.assertEqual(len(self.flushLoggedErrors(DriverError)), 1)

    def test_upload_that_cannot_be_deleted(self) -> None:
        """A failed commit whose upload stays names the upload."""
        waiting = self.fail_later("apply")
        error = DriverError("inmemory", "/x", "no space")
        self.patch(Upload, "cancel", lambda _: fail(error))
        line = Line(self.house)
        head = f"POST {UPLOAD} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(CONTENT)}"
        line.send(head.encode() + b"\r\n\r\n" + CONTENT)
        waiting.pop().errback(error)
        told = self.line("not committed")
        self.assertRegex(told, "upload [0-9a-f-]{36}: not committed, not deleted;")
        self.assertIsOfLast(told)
        self.assertEqual(len(self.flushLoggedErrors(DriverError)), 2)

    def test_a_file_that_another_process_writes(self) -> None:
        """The client is told when to come again, and the log has no failure."""
        error = FileBusy("filesystem", "/x", "another process writes to it")
        self.patch(MemoryDriver, "get", lambda *_, **__: fail(error))
        got = self.house.get(f"/v2/a/b/manifests/{DIGEST}")
        self.assertEqual(got.status, 503)
        self.assertEqual(got.header("retry-after"), "1")
        self.assertNotIn("storage failed", self.log.getvalue())

    def test_words_of_clients(self) -> None:
        """Of what a client chooses an event has a bounded part, and no upload id."""
        error = DriverError("inmemory", "/x", "no space")
        self.patch(MemoryDriver, "stat", lambda *_, **__: fail(error))
        self.patch(MemoryDriver, "get", lambda *_, **__: fail(error))
        for path in (
            f"/v2/a/b/blobs/uploads/chosen-by-me?ns={'x' * 5000}",
            f"/v2/a/b/manifests/v1?ns={'x' * 5000}",
        ):
            line = Line(self.house)
            line.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            self.house.pump()
        self.assertNotIn("chosen", self.log.getvalue())
        self.assertLess(len(self.line("storage failed").partition("work=")[0]), 1500)
        self.assertGreater(len(self.flushLoggedErrors(DriverError)), 0)

    def test_client_that_has_gone(self) -> None:
        """What fails after its client has gone is told with its id."""
        waiting = self.fail_later("apply")
        line = Line(self.house)
        head = f"POST {UPLOAD} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(CONTENT)}"
        line.send(head.encode() + b"\r\n\r\n" + CONTENT)
        line.hang_up()
        waiting.pop().errback(DriverError("inmemory", "/x", "no space"))
        self.assertIsOfLast(self.line("after its client disconnected"))
        self.assertEqual(len(self.flushLoggedErrors(DriverError)), 1)

    def test_cache(self) -> None:
        """A cache that cannot keep what it is to send says whose request that was."""
        waiting = self.fail_later("writer")
        blob = self.house.upstream.add_blob("c/d", CONTENT[::-1])
        asked = self.house.ask("GET", f"/v2/c/d/blobs/{blob}")
        self.house.pump()
        waiting.pop().errback(DriverError("inmemory", "/x", "no space"))
        got = self.house.settle(asked)
        self.assertEqual(got.status, 503)
        self.assertIsOfLast(self.line("storage failed"))
        self.flushLoggedErrors(DriverError)


class ErrorTests(WebCase):
    """Errors of any kind, as OCI has them."""

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
