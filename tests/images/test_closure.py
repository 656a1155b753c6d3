"""The manifests and blobs of an image."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from txregistry.images import closure
from txregistry.images.closure import ImagePart, walk_image
from txregistry.spec import mediatypes
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import ManifestUnknown
from txregistry.spec.manifest.model import Manifest
from txregistry.spec.manifest.parse import parse


def described(digest: Digest, kind: str = "application/x") -> dict[str, object]:
    return {"mediaType": kind, "digest": str(digest), "size": 1}


class ClosureTests(SynchronousTestCase):
    """Parents first, each once, and not for ever."""

    def setUp(self) -> None:
        self.known: dict[Digest, Manifest] = {}

    def add(self, kind: str, **fields: object) -> Digest:
        document = {"schemaVersion": 2, "mediaType": kind, **fields}
        manifest = parse(json.dumps(document).encode())
        self.known[manifest.digest] = manifest
        return manifest.digest

    def image(self, *layers: dict[str, object]) -> Digest:
        config = described(Digest.of(b"config"))
        return self.add(mediatypes.OCI_MANIFEST, config=config, layers=list(layers))

    def index(self, *children: Digest) -> Digest:
        manifests = [described(child, mediatypes.OCI_MANIFEST) for child in children]
        return self.add(mediatypes.OCI_INDEX, manifests=manifests)

    def get(self, digest: Digest) -> Deferred[Manifest]:
        found = self.known.get(digest)
        return fail(ManifestUnknown()) if found is None else succeed(found)

    def parts(self, top: Digest, referrers: Any = None) -> list[ImagePart]:
        async def walk() -> list[ImagePart]:
            walked = walk_image(self.get, top, (), referrers)
            return [part async for part in walked]

        return self.successResultOf(Deferred.fromCoroutine(walk()))

    def test_nested(self) -> None:
        """An index of an index, with a child that both have."""
        image = self.image(described(Digest.of(b"layer")))
        inner = self.index(image)
        top = self.index(inner, image)
        found = [part.descriptor.digest for part in self.parts(top)]
        self.assertEqual(found, [top, inner, image])

    def test_missing(self) -> None:
        """What is not there is visited without content."""
        gone = Digest.of(b"gone")
        _, part = self.parts(self.index(gone))
        self.assertEqual((part.descriptor.digest, part.manifest), (gone, None))
        self.assertFalse(part.is_index)

    def test_referrers(self) -> None:
        """Those of each manifest come after its children, and theirs as well."""
        image = self.image(described(Digest.of(b"layer")))
        top = self.index(image)
        sbom, signature = self.image(described(Digest.of(b"sbom"))), self.image()
        refer = {image: [sbom, signature], sbom: [signature], signature: [image]}

        def referrers(digest: Digest) -> Deferred[list[Descriptor]]:
            return succeed([Descriptor(one, 1) for one in refer.get(digest, [])])

        found = [part.descriptor.digest for part in self.parts(top, referrers)]
        self.assertEqual(found, [top, image, sbom, signature])

    def test_bound(self) -> None:
        """Of an index of very many, the first ones are visited."""
        self.patch(closure, "MAX_MANIFESTS", 5)
        top = self.index(*(Digest.of(str(number).encode()) for number in range(50)))
        self.assertEqual(len(self.parts(top)), 5)
