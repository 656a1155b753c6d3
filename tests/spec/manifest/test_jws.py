"""Signed schema 1 documents, split and joined again."""

from __future__ import annotations

import base64
import json

from twisted.trial.unittest import SynchronousTestCase

from tests.spec.manifest.signed import sign
from txregistry.spec import mediatypes
from txregistry.spec.digest import Digest
from txregistry.spec.manifest import jws
from txregistry.spec.manifest.parse import parse


class SignatureTests(SynchronousTestCase):
    """What is stored, and what is served."""

    def test_schema1(self) -> None:
        """A signed document is known by its payload, and put together again."""
        layer = Digest.of(b"a")
        payload = json.dumps(
            {"schemaVersion": 1, "fsLayers": [{"blobSum": str(layer)}]}, indent=3
        ).encode()
        signed = sign(payload)
        found = parse(signed)
        self.assertEqual(found.media_type, mediatypes.DOCKER_SCHEMA1_SIGNED)
        self.assertEqual(found.digest, Digest.of(payload))
        self.assertEqual([d.digest for d in found.references], [layer])
        signatures, stored = jws.split_signatures(found)
        self.assertEqual(stored, payload)
        again = jws.join_signatures(parse(stored), signatures)
        self.assertEqual(again.content, signed)
        self.assertEqual(again.digest, found.digest)

    def test_stored_signatures_that_are_damaged(self) -> None:
        """A payload whose stored signatures cannot be read is served without them."""
        payload = b'{\n   "schemaVersion": 1,\n   "fsLayers": []\n}'
        signatures, stored = jws.split_signatures(parse(sign(payload)))
        text = base64.urlsafe_b64encode(b'{"formatLength": "1", "formatTail": "Cn0"}')
        wrong = json.dumps({"protected": text.decode().rstrip("=")}).encode()
        for damaged in ([*signatures, b"\x00"], [b"[]"], [b"{}"], [wrong]):
            found = jws.join_signatures(parse(stored), damaged)
            self.assertEqual(found, parse(stored), damaged)

    def test_unsigned(self) -> None:
        """A document without signatures, or of another type, is its own payload."""
        for content in (
            b'{"schemaVersion": 1, "fsLayers": []}',
            b'{"schemaVersion": 2, "manifests": []}',
        ):
            manifest = parse(content)
            self.assertEqual(
                jws.split_signatures(manifest),
                ([], content) if b": 1" in content else ((), content),
            )
            self.assertIs(jws.join_signatures(manifest, ()), manifest)
