"""Descriptors that are remembered, in memory and in redis."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import (
    Deferred,
)
from twisted.trial.unittest import SynchronousTestCase

from tests.storage.caches.fakes import Looking, in_memory
from txregistry.spec.digest import Digest
from txregistry.spec.errors import BlobUnknown
from txregistry.spec.reference import RepositoryName
from txregistry.storage.caches.descriptors import (
    CachedStatter,
    MemoryDescriptors,
)
from txregistry.testing.descriptors import (
    DESCRIPTOR,
    DIGEST,
    descriptor_cache_suite,
)


class MemoryTests(descriptor_cache_suite(in_memory)):  # type: ignore[misc]
    """In memory."""


class DeletedMeanwhileTests(SynchronousTestCase):
    """A blob that is deleted while its length is looked up."""

    def setUp(self) -> None:
        self.looks: list[Deferred[Any]] = []

    def look(self, digest: Digest) -> Deferred[Any]:
        self.looks.append(Deferred())
        return self.looks[-1]

    def test_in_memory(self) -> None:
        """It is not remembered, and is unknown."""
        cache = MemoryDescriptors(10).repository(RepositoryName("a"))
        done = CachedStatter(cache, Looking(self.look)).stat(DIGEST)
        self.looks[0].callback(DESCRIPTOR)
        self.looks[1].errback(BlobUnknown(str(DIGEST)))
        self.failureResultOf(done, BlobUnknown)
        self.failureResultOf(cache.stat(digest=DIGEST), BlobUnknown)
