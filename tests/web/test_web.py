"""The HTTP API over the in-memory wire."""

from __future__ import annotations

import json
import os

from twisted.trial.unittest import SynchronousTestCase

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
