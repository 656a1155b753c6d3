"""How much memory descriptors are counted with."""

from __future__ import annotations

import attrs
from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.descriptor import Descriptor, Platform, annotations_bytes
from txregistry.spec.digest import Digest
from txregistry.spec.mediatypes import OCTET_STREAM

PLAIN = Descriptor(Digest.of(b"x"), 1)


class DescriptorTests(SynchronousTestCase):
    """Values that somebody else chose the length of."""

    def test_long_strings(self) -> None:
        """Each string counts with its length, wherever it is."""
        long = "x" * 10_000
        for more in (
            {"media_type": long},
            {"urls": ("", long)},
            {"platform": Platform(long, "linux")},
            {"platform": Platform("amd64", long)},
        ):
            found = attrs.evolve(PLAIN, **more).memory_bytes
            self.assertGreaterEqual(found, PLAIN.memory_bytes + 9_900, list(more))

    def test_many_short_ones(self) -> None:
        """An empty URL or annotation costs more than nothing."""
        many = attrs.evolve(PLAIN, urls=("",) * 1000)
        self.assertGreater(many.memory_bytes, 1000 * 40)
        texts = {f"{number}": "" for number in range(1000)}
        self.assertGreater(annotations_bytes(texts), 1000 * 150)
        self.assertEqual(annotations_bytes({}), 0)

    def test_defaults(self) -> None:
        """A descriptor without a media type is of some bytes."""
        self.assertEqual(PLAIN.media_type, OCTET_STREAM)
        self.assertEqual((PLAIN.urls, PLAIN.platform), ((), None))
