"""The shared suite of :class:`IDescriptorCache`, for every provider."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.interfaces.blobs import IBlobDescriptorService, IDescriptorCache
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import BlobUnknown
from txregistry.spec.reference import RepositoryName

CONTENT = b"content"
DIGEST = Digest.of(CONTENT)
ALIAS = Digest.of(CONTENT, "sha512")
DESCRIPTOR = Descriptor(DIGEST, len(CONTENT))


def descriptor_cache_suite(
    make: Callable[[Any], IDescriptorCache],
) -> type[SynchronousTestCase]:
    """Make the suite.

    :param make: is given the test, and makes a cache that knows nothing.
    """

    class DescriptorCacheSuite(SynchronousTestCase):
        """What every provider does."""

        def setUp(self) -> None:
            super().setUp()
            self.cache = make(self)

        def of(self, name: str) -> IBlobDescriptorService:
            return self.cache.repository(name=RepositoryName(name))

        def set(self, name: str, digest: Digest, descriptor: Descriptor) -> None:
            done = self.of(name).set_descriptor(digest=digest, descriptor=descriptor)
            self.assertIsNone(self.successResultOf(done))

        def assertKnown(self, name: str, digest: Digest, wanted: Descriptor) -> None:
            found = self.successResultOf(self.of(name).stat(digest=digest))
            self.assertEqual(found, wanted)

        def assertUnknown(self, name: str, digest: Digest) -> None:
            self.failureResultOf(self.of(name).stat(digest=digest), BlobUnknown)

        def test_provides_the_interfaces(self) -> None:
            """The cache and what it gives are what they say."""
            verifyObject(IDescriptorCache, self.cache)
            verifyObject(IBlobDescriptorService, self.of("a"))

        def test_remembered(self) -> None:
            """What was set is known, in its repository and in no other."""
            self.assertUnknown("a", DIGEST)
            self.set("a", DIGEST, DESCRIPTOR)
            self.assertKnown("a", DIGEST, DESCRIPTOR)
            self.assertUnknown("b", DIGEST)

        def test_alias(self) -> None:
            """A digest of another algorithm stands for the canonical one."""
            self.set("a", ALIAS, DESCRIPTOR)
            self.assertKnown("a", ALIAS, DESCRIPTOR)

        def test_set_again(self) -> None:
            """The newest counts."""
            self.set("a", DIGEST, Descriptor(DIGEST, 1))
            self.set("a", DIGEST, DESCRIPTOR)
            self.assertKnown("a", DIGEST, DESCRIPTOR)

        def test_media_types_are_apart(self) -> None:
            """What one repository calls content says nothing of another."""
            image = Descriptor(DIGEST, len(CONTENT), "image/png")
            self.set("a", DIGEST, image)
            self.set("b", DIGEST, DESCRIPTOR)
            self.assertKnown("a", DIGEST, image)
            self.assertKnown("b", DIGEST, DESCRIPTOR)

        def test_clear(self) -> None:
            """What was cleared is unknown, until it is set again; twice is fine.

            It stays so when another repository sets it: CVE-2026-35172.
            """
            self.set("a", DIGEST, DESCRIPTOR)
            for _ in range(2):
                cleared = self.of("a").clear(digest=DIGEST)
                self.assertIsNone(self.successResultOf(cleared))
            self.set("b", DIGEST, DESCRIPTOR)
            self.assertUnknown("a", DIGEST)
            self.assertKnown("b", DIGEST, DESCRIPTOR)
            self.set("a", DIGEST, DESCRIPTOR)
            self.assertKnown("a", DIGEST, DESCRIPTOR)

        def test_forget(self) -> None:
            """What was forgotten is unknown in every repository."""
            for name in ("a", "b"):
                self.set(name, DIGEST, DESCRIPTOR)
            other = Digest.of(b"other")
            self.set("a", other, Descriptor(other, 5))
            self.assertIsNone(self.successResultOf(self.cache.forget(digest=DIGEST)))
            self.assertUnknown("a", DIGEST)
            self.assertUnknown("b", DIGEST)
            self.assertKnown("a", other, Descriptor(other, 5))

    return DescriptorCacheSuite
