"""What an image's document says."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.digest import Digest
from txregistry.spec.errors import ManifestInvalid
from txregistry.spec.manifest import image
from txregistry.spec.manifest.model import Manifest

BARE = Manifest("x/y", b"", Digest.of(b""))


def descriptor(content: bytes, kind: str = "a/b") -> dict[str, object]:
    return {"mediaType": kind, "digest": str(Digest.of(content)), "size": 1}


DOCUMENT = {
    "config": descriptor(b"config", "a/config"),
    "layers": [descriptor(b"one"), descriptor(b"two")],
    "subject": descriptor(b"subject"),
    "annotations": {"a": "b"},
}


class ImageTests(SynchronousTestCase):
    """Image manifests of Docker and OCI."""

    def test_references(self) -> None:
        """The configuration comes first, then the layers; the subject is apart."""
        found = image.read(DOCUMENT, BARE)
        digests = [item.digest for item in found["references"]]
        expected = [Digest.of(name) for name in (b"config", b"one", b"two")]
        self.assertEqual(digests, expected)
        self.assertEqual(found["subject"].digest, Digest.of(b"subject"))
        self.assertEqual(found["annotations"], {"a": "b"})

    def test_artifact_type(self) -> None:
        """It is the document's own, else that of its configuration."""
        self.assertEqual(image.read(DOCUMENT, BARE)["artifact_type"], "a/config")
        named = {**DOCUMENT, "artifactType": "a/sbom"}
        self.assertEqual(image.read(named, BARE)["artifact_type"], "a/sbom")

    def test_refused(self) -> None:
        """One without a configuration, or that is an index as well."""
        without = {"layers": []}
        for document in (without, {**DOCUMENT, "manifests": None}):
            self.assertRaises(ManifestInvalid, image.read, document, BARE)
