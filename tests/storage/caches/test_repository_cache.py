"""What is remembered of repositories."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txregistry.interfaces.blobs import IBlobDescriptorService
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import BlobUnknown
from txregistry.spec.reference import RepositoryName
from txregistry.storage.caches.descriptors import (
    CachedStatter,
    RepositoryDescriptors,
)
from txregistry.storage.caches.repository_cache import RepositoryCache

NAME = RepositoryName("a/b")


class CacheTests(SynchronousTestCase):
    """Remembering."""

    def test_too_heavy_alone(self) -> None:
        """What has no room alone is not kept, and takes the room of nobody."""
        cache: RepositoryCache[str] = RepositoryCache(10, len)
        one, two = Digest.of(b"1"), Digest.of(b"2")
        cache.remember(NAME, one, "x" * 5)
        cache.remember(NAME, two, "x" * 5)
        cache.remember(NAME, two, "x" * 11)
        self.assertEqual(cache.find(NAME, one), "x" * 5)
        self.assertIsNone(cache.find(NAME, two))
        cache.remember(NAME, two, "x" * 5)
        self.assertEqual(len(cache), 2)

    def test_least_recently_used_goes_first(self) -> None:
        """Up to a weight, by use."""
        cache: RepositoryCache[str] = RepositoryCache(3)
        digests = [Digest.of(b"%d" % n) for n in range(4)]
        for digest in digests[:3]:
            cache.remember(NAME, digest, str(digest))
        cache.find(NAME, digests[0])
        cache.remember(NAME, digests[3], "x")
        self.assertIsNone(cache.find(NAME, digests[1]))
        self.assertIsNotNone(cache.find(NAME, digests[0]))
        self.assertEqual(len(cache), 3)
        cache.drop_everywhere(digests[0])
        self.assertIsNone(cache.find(NAME, digests[0]))

    def test_dropped_everywhere(self) -> None:
        """A digest is forgotten in all repositories that have it, and in them alone."""
        cache: RepositoryCache[str] = RepositoryCache(4)
        names = [RepositoryName(f"n{number}") for number in range(5)]
        first, second = Digest.of(b"1"), Digest.of(b"2")
        for name in names:
            cache.remember(name, first, "x")
        cache.remember(names[4], first, "y")
        cache.remember(names[4], second, "z")
        cache.drop(names[3], first)
        cache.drop_everywhere(first)
        self.assertEqual((len(cache), cache.find(names[4], second)), (1, "z"))
        cache.drop_everywhere(first)
        cache.drop_everywhere(second)
        self.assertEqual((len(cache), cache._holders), (0, {}))

    def test_too_heavy(self) -> None:
        """What has no room alone leaves nothing behind."""
        cache: RepositoryCache[str] = RepositoryCache(4, len)
        cache.remember(NAME, Digest.of(b"1"), "12345")
        self.assertEqual((len(cache), cache._holders), (0, {}))

    def test_repositories_are_apart(self) -> None:
        """What one repository holds says nothing of another."""
        cache: RepositoryCache[Descriptor] = RepositoryCache(10)
        digest = Digest.of(b"")
        mine = RepositoryDescriptors(cache, NAME)
        other = RepositoryDescriptors(cache, RepositoryName("other"))
        verifyObject(IBlobDescriptorService, mine)
        verifyObject(IBlobDescriptorService, CachedStatter(mine, other))
        self.successResultOf(mine.set_descriptor(digest, Descriptor(digest, 1)))
        self.successResultOf(mine.stat(digest))
        self.failureResultOf(other.stat(digest), BlobUnknown)
        self.successResultOf(mine.clear(digest))
        self.successResultOf(mine.clear(digest))
        self.failureResultOf(mine.stat(digest), BlobUnknown)
