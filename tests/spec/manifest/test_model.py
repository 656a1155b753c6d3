"""What is known of a manifest."""

from __future__ import annotations

import attrs
from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.manifest.model import Manifest

CONTENT = b'{"schemaVersion": 2}'
PLAIN = Manifest("x/y", CONTENT, Digest.of(CONTENT))


class ManifestTests(SynchronousTestCase):
    """A manifest and its size."""

    def test_descriptor(self) -> None:
        """Its own descriptor has its digest, length and media type."""
        expected = Descriptor(Digest.of(CONTENT), len(CONTENT), "x/y")
        self.assertEqual(PLAIN.descriptor, expected)

    def test_memory(self) -> None:
        """The document, each reference, the subject and annotations count."""
        part = Descriptor(Digest.of(b"x"), 1)
        long = attrs.evolve(PLAIN, content=bytes(5000)).memory_bytes
        self.assertEqual(long, PLAIN.memory_bytes + 5000 - len(CONTENT))
        two = attrs.evolve(PLAIN, references=(part, part)).memory_bytes
        self.assertEqual(two, PLAIN.memory_bytes + 2 * part.memory_bytes)
        subject = attrs.evolve(PLAIN, subject=part).memory_bytes
        self.assertEqual(subject, PLAIN.memory_bytes + part.memory_bytes)
        noted = attrs.evolve(PLAIN, annotations={"a": "x" * 900}).memory_bytes
        self.assertGreater(noted, PLAIN.memory_bytes + 900)

    def test_content_is_not_shown(self) -> None:
        """Four megabytes do not stand in a log."""
        self.assertNotIn("schemaVersion", repr(PLAIN))
