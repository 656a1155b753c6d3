"""Manifests of one repository."""

from __future__ import annotations

import json
from unittest.mock import patch

from twisted.internet.defer import fail

from tests.storage.test_namespace import NAME, StorageCase
from txregistry.interfaces.driver import DriverError
from txregistry.interfaces.manifests import PartlyDeleted
from txregistry.spec.digest import Digest
from txregistry.spec.errors import (
    ManifestUnknown,
)
from txregistry.spec.manifest.parse import parse
from txregistry.spec.reference import Tag
from txregistry.storage.tree import layout
from txregistry.testing.repositories import image_manifest


class ManifestTests(StorageCase):
    """What is stored, and what old releases stored."""

    def test_manifest_linked_among_layers(self) -> None:
        """Trees of 2.1.0 are read."""
        content = image_manifest()
        digest = Digest.of(content)
        self.ok(self.house.driver.put(layout.blob_data(digest), content))
        link = layout.layer_link(NAME, digest)
        self.ok(self.house.driver.put(link, str(digest).encode()))
        # It had put signatures where the link should have been.
        signed = layout.signature_link(NAME, digest, Digest.of(b"signature"))
        self.ok(self.house.driver.put(signed, str(Digest.of(b"signature")).encode()))
        found = self.ok(self.repository.manifests.get(digest=digest))
        self.assertEqual(found.content, content)
        self.ok(self.repository.manifests.delete(digest=digest))
        self.failureResultOf(
            self.repository.manifests.get(digest=digest), ManifestUnknown
        )

    def test_layer_is_no_manifest(self) -> None:
        """A layer asked for as a manifest is unknown, not an error."""
        digest = self.commit(b"just bytes").digest
        self.failureResultOf(
            self.repository.manifests.get(digest=digest), ManifestUnknown
        )

    def test_signed_manifest(self) -> None:
        """A signed schema 1 manifest comes back with its signatures, verbatim."""
        from tests.spec.manifest.signed import sign

        payload = json.dumps({"schemaVersion": 1, "fsLayers": []}, indent=3).encode()
        manifest = parse(sign(payload))
        self.ok(self.repository.manifests.put(manifest=manifest))
        found = self.ok(self.repository.manifests.get(digest=manifest.digest))
        self.assertEqual(found.content, manifest.content)
        self.assertEqual(found.media_type, manifest.media_type)
        stored = self.ok(self.house.driver.get(layout.blob_data(manifest.digest)))
        self.assertEqual(stored, payload)


class FailedDeleteTests(StorageCase):
    """A storage that fails while a manifest with two tags is deleted."""

    def setUp(self) -> None:
        super().setUp()
        self.manifest = parse(image_manifest())
        self.digest = self.manifest.digest
        tags = [Tag("a"), Tag("b")]
        self.ok(self.repository.manifests.put(manifest=self.manifest, tags=tags))

    def failing(self, method: str, *paths: str):
        """Let a method of the driver fail, of some paths or of all."""
        works = getattr(type(self.house.driver), method)

        def fails(driver, path: str, *args, **more):
            if paths and path not in paths:
                return works(driver, path, *args, **more)
            return fail(DriverError("inmemory", path, "broken"))

        return patch.object(type(self.house.driver), method, fails)

    def delete(self):
        return self.repository.manifests.delete(digest=self.digest)

    def left(self) -> list[str]:
        found = self.ok(self.repository.tags.lookup(digest=self.digest))
        return [str(tag) for tag in found]

    def is_there(self) -> bool:
        return self.ok(self.repository.manifests.exists(digest=self.digest))

    def test_before_anything_is_gone(self) -> None:
        """That is the storage's failure, and all stays."""
        with self.failing("delete"):
            error = self.failureResultOf(self.delete(), DriverError).value
        self.assertEqual(error.reason, "broken")
        self.assertEqual((self.left(), self.is_there()), (["a", "b"], True))

    def test_between_tags(self) -> None:
        """What is gone is told, and asking again does the rest."""
        with self.failing("delete", layout.tag(NAME, Tag("b"))):
            error = self.failureResultOf(self.delete(), PartlyDeleted).value
        self.assertEqual(error.tags, [Tag("a")])
        detail = {"reason": "storage: broken", "deleted tags": ["a"]}
        self.assertEqual((error.status, error.detail), (503, detail))
        self.assertEqual((self.left(), self.is_there()), (["b"], True))
        self.assertEqual(self.ok(self.delete()), [Tag("b")])
        self.assertFalse(self.is_there())

    def test_after_the_tags(self) -> None:
        """So it is when the manifest itself cannot be removed."""
        with self.failing("delete", layout.revision(NAME, self.digest)):
            error = self.failureResultOf(self.delete(), PartlyDeleted).value
        self.assertEqual(error.tags, [Tag("a"), Tag("b")])
        self.assertEqual((self.left(), self.is_there()), ([], True))
        self.assertEqual(self.ok(self.delete()), [])
        self.assertFalse(self.is_there())

    def test_when_all_is_gone(self) -> None:
        """Then it is deleted, whatever cannot be found out afterwards."""
        parts = [layout.MANIFESTS, layout.LAYERS]
        paths = [f"{layout.repository(NAME)}/{part}" for part in parts]
        with self.failing("stat", *paths):
            self.assertEqual(self.ok(self.delete()), [Tag("a"), Tag("b")])
        self.assertEqual((self.left(), self.is_there()), ([], False))
        self.assertEqual(self.ok(self.house.local.repositories()), [])
