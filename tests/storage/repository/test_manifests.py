"""Manifests of one repository."""

from __future__ import annotations

import json

from tests.storage.test_namespace import NAME, StorageCase
from txregistry.spec.digest import Digest
from txregistry.spec.errors import (
    ManifestUnknown,
)
from txregistry.spec.manifest.parse import parse
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
