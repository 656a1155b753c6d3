"""Lookups, counted."""

from __future__ import annotations

from unittest import mock

from twisted.internet.defer import (
    Deferred,
    fail,
    succeed,
)
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from tests.storage.caches.fakes import FakeRedis, in_memory
from txregistry.flow.redis.client import (
    RedisAway,
)
from txregistry.interfaces.blobs import (
    CacheAway,
    IBlobDescriptorService,
    IDescriptorCache,
)
from txregistry.interfaces.observe import Lookup
from txregistry.observe.metrics import Metrics
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.errors import BlobUnknown
from txregistry.spec.reference import RepositoryName
from txregistry.storage.caches.descriptors import (
    MemoryDescriptors,
)
from txregistry.storage.caches.metered import MeteredDescriptors
from txregistry.storage.caches.redis_descriptors import RedisDescriptors
from txregistry.testing.descriptors import (
    CONTENT,
    DIGEST,
    descriptor_cache_suite,
)
from txregistry.testing.house import TestHouse

NAME = RepositoryName.parse("a/b")
FOUND = Descriptor(DIGEST, 1)


class Meter:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.counted: list[Lookup] = []

    def descriptor(self, found: Lookup) -> None:
        self.counted.append(found)


class LookupTests(SynchronousTestCase):
    """A cache behind counters."""

    def setUp(self) -> None:
        self.meter, self.inner = Meter(), mock.Mock()
        self.cache = MeteredDescriptors(self.inner, self.meter)
        self.repository = self.cache.repository(name=NAME)
        self.inner_repository = self.inner.repository.return_value

    def stat(self, answer: Deferred[Descriptor]) -> Deferred[Descriptor]:
        self.inner_repository.stat.return_value = answer
        return self.repository.stat(digest=DIGEST)

    def test_contract(self) -> None:
        """It is a cache like the one behind it."""
        verifyObject(IDescriptorCache, self.cache)
        verifyObject(IBlobDescriptorService, self.repository)
        self.assertIs(self.cache.is_shared, self.inner.is_shared)
        self.inner.repository.assert_called_once_with(name=NAME)

    def test_results(self) -> None:
        """A hit, a miss and an error are told apart, and passed on."""
        self.assertIs(self.successResultOf(self.stat(succeed(FOUND))), FOUND)
        self.failureResultOf(self.stat(fail(BlobUnknown())), BlobUnknown)
        self.failureResultOf(self.stat(fail(CacheAway())), CacheAway)
        expected = [Lookup.HIT, Lookup.MISS, Lookup.ERROR]
        self.assertEqual(self.meter.counted, expected)

    def test_others(self) -> None:
        """A failure of another kind, such as being cancelled, is not counted."""
        self.failureResultOf(self.stat(fail(ValueError())), ValueError)
        asked = self.stat(Deferred())
        asked.cancel()
        self.failureResultOf(asked)
        self.assertEqual(self.meter.counted, [])

    def test_writes(self) -> None:
        """Remembering and forgetting are passed on, and are no lookups."""
        self.repository.set_descriptor(digest=DIGEST, descriptor=FOUND)
        self.repository.clear(digest=DIGEST)
        self.cache.forget(digest=DIGEST)
        inner = self.inner_repository
        inner.set_descriptor.assert_called_once_with(digest=DIGEST, descriptor=FOUND)
        inner.clear.assert_called_once_with(digest=DIGEST)
        self.inner.forget.assert_called_once_with(digest=DIGEST)
        self.assertEqual(self.meter.counted, [])


def metered_in_memory(case: SynchronousTestCase) -> IDescriptorCache:
    return MeteredDescriptors(in_memory(case), Metrics(""))


class MeteredTests(descriptor_cache_suite(metered_in_memory)):  # type: ignore[misc]
    """In memory, and counted."""


class CountingTests(SynchronousTestCase):
    """What is asked of the cache of a registry, for the metrics."""

    def use(self, cache: IDescriptorCache, clock: Clock) -> None:
        self.house = TestHouse(clock=clock, descriptors=cache)
        path = f"/v2/a/blobs/uploads/?digest={DIGEST}"
        self.house.send("POST", path, CONTENT)
        self.before = self.counts()

    def counts(self) -> list[float]:
        names = ("requests", "hits", "errors")
        new = [f"registry_storage_cache_{name}_total" for name in names]
        missed = self.house.count("registry_storage_cache_total", type="Miss")
        return [*map(self.house.count, new), missed]

    def head(self) -> list[float]:
        """Ask for the blob; give what that adds: requests, hits, errors, misses."""
        got = self.house.send("HEAD", f"/v2/a/blobs/{DIGEST}")
        self.assertEqual(got.status, 200)
        before, self.before = self.before, self.counts()
        return [now - was for was, now in zip(before, self.before, strict=True)]

    def test_in_memory(self) -> None:
        """What is not remembered is a miss, and a hit from then on."""
        cache = MemoryDescriptors(100)
        self.use(cache, Clock())
        self.successResultOf(cache.forget(digest=DIGEST))
        self.assertEqual(self.head(), [1, 0, 0, 1])
        self.assertEqual(self.head(), [1, 1, 0, 0])

    def test_in_redis(self) -> None:
        """It is the same in redis; without redis it is an error each time."""
        clock = Clock()
        redis = FakeRedis(clock)
        cache = RedisDescriptors(redis, clock)
        self.use(cache, clock)
        self.successResultOf(cache.forget(digest=DIGEST))
        self.assertEqual(self.head(), [1, 0, 0, 1])
        self.assertEqual(self.head(), [1, 1, 0, 0])
        self.failureResultOf(redis.ask(lambda _: fail(ConnectionLost())), RedisAway)
        for _ in range(2):
            self.assertEqual(self.head(), [1, 0, 1, 1])
