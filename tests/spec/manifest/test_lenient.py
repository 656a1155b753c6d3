"""Manifests that another registry has accepted."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.spec.manifest.signed import sign
from txregistry.spec import mediatypes
from txregistry.spec.digest import Digest
from txregistry.spec.errors import ManifestInvalid, ManifestTooLarge
from txregistry.spec.manifest.lenient import read
from txregistry.spec.manifest.model import MAX_MANIFEST_BYTES, Manifest
from txregistry.spec.manifest.parse import parse

A, B = Digest.of(b"a"), Digest.of(b"b")


def part(digest: Digest, **more: object) -> dict[str, Any]:
    return {"mediaType": "x/y", "digest": str(digest), "size": 1} | more


def image(**more: object) -> dict[str, Any]:
    return {"schemaVersion": 2, "config": part(A), "layers": [part(B)], **more}


class LenientCase(SynchronousTestCase):
    """Reads documents."""

    def read(self, document: object, kind: str | None = None) -> Manifest:
        return read(json.dumps(document).encode(), kind)

    def digests(self, document: object) -> list[Digest]:
        return [found.digest for found in self.read(document).references]


class FieldTests(LenientCase):
    """Fields as far as they are valid."""

    def test_valid(self) -> None:
        """A valid manifest is read as it is strictly."""
        content = json.dumps(image()).encode()
        self.assertEqual(read(content), parse(content))

    def test_content_is_kept(self) -> None:
        """Whatever was skipped, bytes and digest are those of the upstream."""
        content = b"\xef\xbb\xbf" + json.dumps(image(config=7)).encode()
        found = read(content, algorithm="sha512")
        self.assertEqual(found.content, content)
        self.assertEqual(found.digest, Digest.of(content, "sha512"))

    def test_references(self) -> None:
        """References without a valid digest are skipped, others stay."""
        wrong = ({**part(B), "digest": digest} for digest in ("x", 7, None))
        layers = ["x", None, {}, *wrong, part(B)]
        self.assertEqual(self.digests(image(config="x", layers=layers)), [B])
        self.assertEqual(self.digests(image(config=None, layers={})), [])

    def test_malformed_fields_of_references(self) -> None:
        """A reference whose other fields are malformed is one without them."""
        config = part(A, size=-1, mediaType="\n", platform="linux", urls=7)
        (found, _) = self.read(image(config=config)).references
        self.assertEqual((found.digest, found.size), (A, None))
        self.assertEqual(found.media_type, mediatypes.OCTET_STREAM)
        self.assertIsNone(found.platform)

    def test_unknown_media_type(self) -> None:
        """References of a document of another type are found all the same."""
        document = {"mediaType": "a/b", "blobs": [part(A)], "manifests": [part(B)]}
        found = self.read(document)
        self.assertEqual(found.media_type, "a/b")
        self.assertEqual([item.digest for item in found.references], [B, A])

    def test_other_fields(self) -> None:
        """A malformed subject, type or annotation is left out."""
        document = image(
            layers=7, subject="x", artifactType=7, annotations={"a": 1, "b": "2"}
        )
        found = self.read(document)
        self.assertIsNone(found.subject)
        self.assertEqual(found.artifact_type, "x/y")
        self.assertEqual(found.annotations, {"b": "2"})

    def test_schema1(self) -> None:
        """A signed document is known by its payload, or all of it if damaged."""
        payload = json.dumps({"schemaVersion": 1, "fsLayers": [{}]}, indent=3).encode()
        self.assertEqual(read(sign(payload)).digest, Digest.of(payload))
        damaged = json.dumps({"schemaVersion": 1, "signatures": [{}]}).encode()
        found = read(damaged)
        self.assertEqual(found.media_type, mediatypes.DOCKER_SCHEMA1_SIGNED)
        self.assertEqual(found.digest, Digest.of(damaged))


class MediaTypeTests(LenientCase):
    """Of which type a document is."""

    def kind(self, document: object, given: str | None = None) -> str:
        return self.read(document, given).media_type

    def test_own(self) -> None:
        """The document's own counts before the header, in its usual spelling."""
        own = mediatypes.DOCKER_MANIFEST
        document = image(mediaType=f" {own.upper()} ")
        self.assertEqual(self.kind(document, mediatypes.OCI_MANIFEST), own)

    def test_header(self) -> None:
        """The header counts if it agrees with the document on being an index."""
        docker = mediatypes.DOCKER_MANIFEST
        self.assertEqual(self.kind(image(), f"{docker}; charset=utf-8"), docker)
        self.assertEqual(
            self.kind(image(), mediatypes.DOCKER_LIST), mediatypes.OCI_MANIFEST
        )
        index = {"schemaVersion": 2, "manifests": []}
        self.assertEqual(self.kind(index, docker), mediatypes.OCI_INDEX)
        self.assertEqual(self.kind(index, "text/html"), mediatypes.OCI_INDEX)

    def test_malformed(self) -> None:
        """A type that is too long, empty or not printable is as none."""
        for kind in ("x" * 256, "", " ", "x\ny", "é", 7, None):
            self.assertEqual(
                self.kind(image(mediaType=kind)), mediatypes.OCI_MANIFEST, kind
            )
        self.assertEqual(self.kind(image(mediaType="x" * 255)), "x" * 255)


class RefusedTests(LenientCase):
    """What is no manifest."""

    def test_no_manifest(self) -> None:
        """A page, another value, or an object without anything of a manifest."""
        for content in (b"", b"<html>", b"[]", b"{}", b'{"errors": []}', b"\xff"):
            self.assertRaises(ManifestInvalid, read, content)
        for content in (b"<html>", b"{}"):
            self.assertRaises(ManifestInvalid, read, content, mediatypes.OCI_MANIFEST)

    def test_too_large(self) -> None:
        """4 MiB are read, one byte more is not."""
        content = json.dumps(image()).encode().ljust(MAX_MANIFEST_BYTES)
        self.assertEqual(len(read(content).content), MAX_MANIFEST_BYTES)
        self.assertRaises(ManifestTooLarge, read, content + b" ")
