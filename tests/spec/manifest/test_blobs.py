"""The blobs of an image."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec import mediatypes
from txregistry.spec.digest import Digest
from txregistry.spec.manifest.blobs import blobs_of
from txregistry.spec.manifest.parse import parse

CONFIG, LAYER, FOREIGN = (Digest.of(name) for name in (b"config", b"layer", b"foreign"))


def described(
    digest: Digest, media_type: str = mediatypes.OCTET_STREAM
) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": str(digest), "size": 7}


class BlobsTests(SynchronousTestCase):
    """What clients get from a registry."""

    def parse(self, media_type: str, **fields: Any):
        document = {"schemaVersion": 2, "mediaType": media_type, **fields}
        return parse(json.dumps(document).encode())

    def test_image(self) -> None:
        """Each once; layers that are elsewhere are nobody's business here."""
        layer = described(LAYER)
        foreign = described(FOREIGN, mediatypes.DOCKER_FOREIGN_LAYER)
        manifest = self.parse(
            mediatypes.OCI_MANIFEST,
            config=described(CONFIG),
            layers=[layer, layer, foreign],
        )
        self.assertEqual([blob.digest for blob in blobs_of(manifest)], [CONFIG, LAYER])

    def test_index(self) -> None:
        """An index names manifests."""
        child = described(LAYER, mediatypes.OCI_MANIFEST)
        manifest = self.parse(mediatypes.OCI_INDEX, manifests=[child])
        self.assertEqual(blobs_of(manifest), ())
