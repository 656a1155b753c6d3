"""The caches of one registry."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.manifest.model import Manifest
from txregistry.spec.reference import RepositoryName
from txregistry.storage.caches.descriptors import MemoryDescriptors
from txregistry.storage.caches.local import MANIFEST_BYTES, Caches

NAMES = [RepositoryName.parse(name) for name in ("a", "b")]


def manifest(content: bytes) -> Manifest:
    return Manifest("x/y", content, Digest.of(content))


class CachesTests(SynchronousTestCase):
    """Manifests and descriptors."""

    def setUp(self) -> None:
        self.caches = Caches(MemoryDescriptors(100))

    def test_forgotten_everywhere(self) -> None:
        """A digest that is forgotten is in no cache of any repository; others stay."""
        gone, stays = manifest(b"gone"), manifest(b"stays")
        for name in NAMES:
            cache = self.caches.descriptors.repository(name=name)
            for found in (gone, stays):
                self.caches.manifests.remember(name, found.digest, found)
                descriptor = Descriptor(found.digest, 1)
                done = cache.set_descriptor(digest=found.digest, descriptor=descriptor)
                self.successResultOf(done)
        self.successResultOf(self.caches.forget(gone.digest))
        for name in NAMES:
            cache = self.caches.descriptors.repository(name=name)
            self.assertIsNone(self.caches.manifests.find(name, gone.digest))
            self.failureResultOf(cache.stat(digest=gone.digest))
            self.assertIs(self.caches.manifests.find(name, stays.digest), stays)
            self.successResultOf(cache.stat(digest=stays.digest))

    def test_limit(self) -> None:
        """Manifests are kept up to a number of bytes; one beyond it is not."""
        half = [manifest(bytes([n]) * (MANIFEST_BYTES // 2 - 9000)) for n in range(3)]
        for found in half:
            self.caches.manifests.remember(NAMES[0], found.digest, found)
        kept = [self.caches.manifests.find(NAMES[0], found.digest) for found in half]
        self.assertEqual([found is not None for found in kept], [False, True, True])
        long = manifest(bytes(MANIFEST_BYTES))
        self.caches.manifests.remember(NAMES[0], long.digest, long)
        self.assertIsNone(self.caches.manifests.find(NAMES[0], long.digest))
