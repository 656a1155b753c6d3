"""Media types of manifests and layers."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec import mediatypes


class MediaTypeTests(SynchronousTestCase):
    """How they are told apart."""

    def test_manifests(self) -> None:
        """Indexes and schema 1 are manifests, and none is both; OCI comes first."""
        types = set(mediatypes.MANIFEST_TYPES)
        self.assertEqual(len(types), len(mediatypes.MANIFEST_TYPES))
        self.assertLess(mediatypes.INDEX_TYPES | mediatypes.SCHEMA1_TYPES, types)
        self.assertEqual(mediatypes.INDEX_TYPES & mediatypes.SCHEMA1_TYPES, set())
        self.assertEqual(mediatypes.MANIFEST_TYPES[0], mediatypes.OCI_INDEX)

    def test_layers(self) -> None:
        """A layer is one that clients get elsewhere, or one that must be here."""
        both = mediatypes.FOREIGN_LAYERS & mediatypes.OCI_LAYERS
        self.assertEqual(both, set())
        for form in ("", "+gzip", "+zstd"):
            kind = "application/vnd.oci.image.layer.{}v1.tar" + form
            self.assertIn(kind.format(""), mediatypes.OCI_LAYERS)
            foreign = kind.format("nondistributable.")
            self.assertIn(foreign, mediatypes.FOREIGN_LAYERS)
