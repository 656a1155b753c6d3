"""Docker schema 1."""

from __future__ import annotations

import base64
import json

from twisted.trial.unittest import SynchronousTestCase

from tests.spec.manifest.signed import sign
from txregistry.spec.digest import Digest
from txregistry.spec.errors import ManifestInvalid
from txregistry.spec.manifest import fields, schema1
from txregistry.spec.manifest.model import Manifest

LAYERS = [{"blobSum": str(Digest.of(name))} for name in (b"one", b"two")]


def document(**more: object) -> bytes:
    return json.dumps(
        {"schemaVersion": 1, "fsLayers": LAYERS, **more}, indent=3
    ).encode()


def encoded(content: bytes) -> str:
    """Give base64url without padding."""
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


class ReadTests(SynchronousTestCase):
    """What a document says."""

    def read(self, content: bytes, algorithm: str = "sha256") -> dict[str, object]:
        bare = Manifest("x/y", content, Digest.of(content, algorithm))
        return schema1.read(fields.load(content), bare)

    def test_layers(self) -> None:
        """Layers are known by their digests only, without sizes."""
        found = self.read(document())["references"]
        self.assertEqual(
            [(item.digest, item.size) for item in found],
            [(Digest.of(b"one"), None), (Digest.of(b"two"), None)],
        )

    def test_digest(self) -> None:
        """The digest is that of the payload, in the algorithm that is wanted."""
        content = document()
        for algorithm in ("sha256", "sha512"):
            expected = Digest.of(content, algorithm)
            for given in (content, sign(content)):
                self.assertEqual(self.read(given, algorithm)["digest"], expected)

    def test_malformed(self) -> None:
        """A layer that is none, or has no digest, is refused."""
        for layers in ({}, ["x"], [{}], [{"blobSum": "x"}]):
            self.assertRaises(ManifestInvalid, self.read, document(fsLayers=layers))


class HistoryTests(SynchronousTestCase):
    """One entry per layer."""

    def test_numbers(self) -> None:
        """As many entries as layers are accepted, fewer and more are refused."""
        schema1.check_history(document(history=[{}, {}]))
        for history in ([], [{}], [{}, {}, {}], None, {}):
            content = document(history=history)
            self.assertRaises(ManifestInvalid, schema1.check_history, content)


class PayloadTests(SynchronousTestCase):
    """What was signed."""

    def test_restored(self) -> None:
        """The payload is restored to the byte; without signatures it is all."""
        content = document()
        for given in (content, sign(content)):
            self.assertEqual(schema1.payload(given, fields.load(given)), content)

    def test_malformed(self) -> None:
        """A header that does not say what to restore is refused."""
        for protected in (None, 7, "!", "", encoded(b"[]"), encoded(b"{}")):
            given = {"protected": protected}
            self.assertRaises(ManifestInvalid, schema1.payload_format, given)
        self.assertRaises(ManifestInvalid, schema1.payload_format, "x")

    def test_base64(self) -> None:
        """base64url has no padding; what is none is a ``ValueError``."""
        self.assertEqual(schema1.decode("_-8"), b"\xff\xef")
        for text in ("a", "é"):
            self.assertRaises(ValueError, schema1.decode, text)
