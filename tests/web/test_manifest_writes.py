"""Manifests that are put and deleted over HTTP."""

from __future__ import annotations

import json
from unittest.mock import patch

from twisted.internet.defer import fail
from twisted.trial.unittest import SynchronousTestCase

from txregistry.interfaces.driver import DriverError
from txregistry.spec import mediatypes
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName, Tag
from txregistry.storage.tree import layout
from txregistry.testing.answers import Got
from txregistry.testing.house import TestHouse
from txregistry.testing.repositories import image_manifest

NAME = RepositoryName("a/b")
MANIFESTS = "/v2/a/b/manifests"


class ManifestWriteTests(SynchronousTestCase):
    """A registry that has a manifest with two tags."""

    def setUp(self) -> None:
        self.house = TestHouse()
        self.content = image_manifest()
        self.digest = Digest.of(self.content)
        path = f"/v2/a/b/blobs/uploads/?digest={Digest.of(b'{}')}"
        self.assertEqual(self.house.send("POST", path, b"{}").status, 201)
        self.got = self.put(f"{self.digest}?tag=x&tag=y")

    def put(self, reference: str, content: bytes | None = None) -> Got:
        body = self.content if content is None else content
        kind = mediatypes.OCI_MANIFEST
        path = f"{MANIFESTS}/{reference}"
        return self.house.send("PUT", path, body, Content_Type=kind)

    def delete(self, reference: object) -> Got:
        return self.house.send("DELETE", f"{MANIFESTS}/{reference}")

    def broken(self, broken: str):
        """Let nothing be deleted at a path."""
        delete = type(self.house.driver).delete

        def deleted(driver, path: str, durable: bool = True):
            if path == broken:
                return fail(DriverError("inmemory", path, "broken"))
            return delete(driver, path, durable)

        return patch.object(type(self.house.driver), "delete", deleted)

    def tags(self) -> list[str]:
        got = self.house.send("GET", "/v2/a/b/tags/list")
        return json.loads(got.body)["tags"] if got.status == 200 else []

    def test_put(self) -> None:
        """The answer says what is there now."""
        self.assertEqual((self.got.status, self.got.body), (201, b""))
        self.assertEqual(self.got.header("Docker-Content-Digest"), str(self.digest))
        self.assertTrue(self.got.header("Location").endswith(str(self.digest)))
        self.assertEqual(self.tags(), ["x", "y"])

    def test_another_digest(self) -> None:
        """What is not what it is said to be is refused, with both."""
        got = self.put(str(Digest.of(b"other")))
        (error,) = json.loads(got.body)["errors"]
        self.assertEqual((got.status, error["code"]), (400, "DIGEST_INVALID"))
        self.assertEqual(error["detail"]["found"], str(self.digest))

    def test_delete_tag(self) -> None:
        """The manifest stays, and so do its other tags."""
        self.assertEqual((self.delete("x").status, self.tags()), (202, ["y"]))
        self.assertEqual(self.delete("x").status, 404)

    def test_delete(self) -> None:
        """All its tags go with it."""
        got = self.delete(self.digest)
        self.assertEqual((got.status, got.length), (202, 0))
        self.assertEqual(self.tags(), [])
        self.assertEqual(self.delete(self.digest).status, 404)

    def test_storage_that_fails(self) -> None:
        """Before anything is gone it is an outage; then it is said what is gone."""
        for tag, left, gone in (("x", ["x", "y"], None), ("y", ["y"], ["x"])):
            with self.broken(layout.tag(NAME, Tag(tag))):
                got = self.delete(self.digest)
            self.flushLoggedErrors(DriverError)
            (error,) = json.loads(got.body)["errors"]
            self.assertEqual((got.status, error["code"]), (503, "UNAVAILABLE"))
            self.assertEqual(error["detail"]["reason"], "storage: broken")
            self.assertEqual(error["detail"].get("deleted tags"), gone)
            self.assertEqual(self.tags(), left)
        self.assertEqual(self.delete(self.digest).status, 202)
