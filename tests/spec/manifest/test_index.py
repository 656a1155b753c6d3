"""What an index's document says."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.digest import Digest
from txregistry.spec.errors import ManifestInvalid
from txregistry.spec.manifest import index
from txregistry.spec.manifest.model import Manifest

BARE = Manifest("x/y", b"", Digest.of(b""))
CHILD = {"mediaType": "a/b", "digest": str(Digest.of(b"child")), "size": 1}


class IndexTests(SynchronousTestCase):
    """Manifest lists of Docker and indexes of OCI."""

    def test_children(self) -> None:
        """Children are the references; the subject is none of them."""
        subject = {**CHILD, "digest": str(Digest.of(b"subject"))}
        found = index.read({"manifests": [CHILD], "subject": subject}, BARE)
        self.assertEqual(
            [item.digest for item in found["references"]], [Digest.of(b"child")]
        )
        self.assertEqual(found["subject"].digest, Digest.of(b"subject"))

    def test_least(self) -> None:
        """An index may be empty, and has no artifact type but its own."""
        found = index.read({}, BARE)
        self.assertEqual(found["references"], ())
        self.assertIsNone(found["artifact_type"])
        self.assertIsNone(found["subject"])
        named = index.read({"artifactType": "a/sbom"}, BARE)
        self.assertEqual(named["artifact_type"], "a/sbom")

    def test_image_as_well(self) -> None:
        """One with a configuration or layers, be they null, is refused."""
        for name in ("layers", "config"):
            error = self.assertRaises(ManifestInvalid, index.read, {name: None}, BARE)
            self.assertEqual(error.detail["field"], name)
