"""Manifests of all families as they are read."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec import mediatypes
from txregistry.spec.digest import Digest
from txregistry.spec.errors import (
    ManifestInvalid,
    ManifestTooLarge,
)
from txregistry.spec.manifest.model import MAX_MANIFEST_BYTES
from txregistry.spec.manifest.parse import media_type_of, parse


def descriptor(digest: Digest, kind: str = "x/y") -> dict[str, object]:
    return {"mediaType": kind, "digest": str(digest), "size": 1}


class ManifestTests(SynchronousTestCase):
    """Manifests of all families."""

    def setUp(self) -> None:
        self.a, self.b = Digest.of(b"a"), Digest.of(b"b")
        self.image: dict[str, object] = {
            "schemaVersion": 2,
            "mediaType": mediatypes.OCI_MANIFEST,
            "config": descriptor(self.a),
            "layers": [descriptor(self.b) | {"urls": ["http://x/"]}],
            "subject": descriptor(self.b),
        }
        self.index: dict[str, object] = {
            "schemaVersion": 2,
            "mediaType": mediatypes.DOCKER_LIST,
            "manifests": [descriptor(self.a), descriptor(self.b)],
        }

    def parse(self, document: object, kind: str | None = None):
        return parse(json.dumps(document).encode(), kind)

    def test_image(self) -> None:
        """Configuration, layers and subject are read; bytes are kept."""
        found = self.parse(self.image)
        self.assertEqual([d.digest for d in found.references], [self.a, self.b])
        self.assertEqual(found.references[1].urls, ("http://x/",))
        self.assertEqual(found.subject.digest, self.b)
        self.assertEqual(found.artifact_type, "x/y")
        self.assertEqual(found.content, json.dumps(self.image).encode())
        self.assertEqual(found.descriptor.size, len(found.content))

    def test_index(self) -> None:
        """Children are read."""
        found = self.parse(self.index)
        self.assertEqual(len(found.references), 2)
        self.assertEqual(found.media_type, mediatypes.DOCKER_LIST)

    def test_guessed_types(self) -> None:
        """OCI documents need not name their type."""
        del self.image["mediaType"], self.index["mediaType"]
        self.assertEqual(self.parse(self.image).media_type, mediatypes.OCI_MANIFEST)
        self.assertEqual(self.parse(self.index).media_type, mediatypes.OCI_INDEX)
        content = json.dumps({"schemaVersion": 1, "fsLayers": []}).encode()
        self.assertEqual(media_type_of(content), mediatypes.DOCKER_SCHEMA1)

    def test_careless_content_type(self) -> None:
        """application/json says nothing; parameters do not matter."""
        for kind in (
            "application/json",
            "text/plain; charset=utf-8",
            mediatypes.OCI_MANIFEST + "; charset=utf-8",
        ):
            self.assertEqual(
                self.parse(self.image, kind).media_type, mediatypes.OCI_MANIFEST
            )

    def test_refused(self) -> None:
        """What is no manifest, or two at once."""
        for document, kind in (
            ([], None),
            ("x", None),
            ({"mediaType": "x/y"}, None),
            (self.image, mediatypes.OCI_INDEX),
            ({**self.image, "manifests": []}, None),
            ({**self.index, "layers": []}, None),
            ({**self.index, "config": None}, None),
            ({**self.image, "config": None}, None),
            ({**self.image, "layers": {}}, None),
            ({**self.image, "layers": [{"digest": "x", "size": 1}]}, None),
            ({**self.image, "layers": [{"digest": str(self.a), "size": -1}]}, None),
            ({**self.image, "layers": [{"digest": str(self.a), "size": True}]}, None),
            ({**self.image, "mediaType": 7}, None),
        ):
            with self.assertRaises(ManifestInvalid):
                self.parse(document, kind)
        for content in (b"", b"{", b"\xff", b"[" * 100_000):
            with self.assertRaises(ManifestInvalid):
                parse(content)

    def test_too_large(self) -> None:
        """4 MiB are accepted, one byte more is not."""
        filler = json.dumps({**self.image, "annotations": {"x": ""}})
        room = MAX_MANIFEST_BYTES - len(filler)
        content = filler.replace('"x": ""', '"x": "' + "y" * room + '"').encode()
        self.assertEqual(len(parse(content).content), MAX_MANIFEST_BYTES)
        with self.assertRaises(ManifestTooLarge):
            parse(content + b" ")

    def test_broken_signature(self) -> None:
        """Signatures that do not say what they span are refused."""
        document = {
            "schemaVersion": 1,
            "fsLayers": [],
            "signatures": [{"protected": "!"}],
        }
        with self.assertRaises(ManifestInvalid):
            self.parse(document)
