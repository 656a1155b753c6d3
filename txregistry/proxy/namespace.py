"""A cache of one upstream as a namespace."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import attrs
from twisted.internet.defer import Deferred, succeed
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.flow.flights import Flights
from txregistry.flow.lru import Lru
from txregistry.interfaces.blobs import IBlobLocator
from txregistry.interfaces.manifests import IManifestStore
from txregistry.interfaces.namespace import INamespace, IRepository, ITagAnswers
from txregistry.interfaces.tags import IRemoteTags, ITagStore
from txregistry.proxy.blobs import LocatedProxyBlobs, ProxyBlobs
from txregistry.proxy.context import CacheContext, renewed_context
from txregistry.proxy.known_tags import KnownTags
from txregistry.proxy.manifests import ProxyManifests
from txregistry.proxy.referrers import (
    ProxyReferrers,
    ReferrerMemory,
    make_referrer_memory,
)
from txregistry.proxy.tags import ProxyTags
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.freshness import TagPolicy
from txregistry.spec.reference import RepositoryName

#: Repositories whose objects are cached, about ten kilobytes each.
MAX_REPOSITORIES = 1_000


@implementer(IRepository)
@attrs.frozen
class ProxyRepository:
    """One repository of a cache; it takes no pushes."""

    name: RepositoryName
    blobs: ProxyBlobs
    manifests: ProxyManifests
    tags: ProxyTags
    referrers: ProxyReferrers


@implementer(INamespace, ITagAnswers)
@attrs.define(eq=False)
class ProxyNamespace:
    """Local storage in front of an upstream."""

    _local: INamespace
    _remote: INamespace
    _cache: CacheContext
    _lists: ReferrerMemory = attrs.field(factory=make_referrer_memory)
    _repositories: Lru[RepositoryName, IRepository] = attrs.field(
        factory=lambda: Lru(MAX_REPOSITORIES)
    )
    _flights: Flights[RepositoryName, IRepository] = attrs.field(factory=Flights)

    def renewed(
        self,
        policy: TagPolicy,
        recheck_seconds: float,
        is_same: bool,
        upstream: str = "",
        remote: INamespace | None = None,
    ) -> ProxyNamespace:
        """Return a cache with other settings; current requests keep using this one.

        :param is_same: upstream and credentials are unchanged, so that its remembered
            answers stay valid.
        :param upstream: which one it is.
        :param remote: who is asked from now on; ``None`` for who is asked now.
        """
        cache = renewed_context(self._cache, policy, recheck_seconds, is_same, upstream)
        lists = self._lists if is_same else make_referrer_memory()
        return ProxyNamespace(self._local, remote or self._remote, cache, lists)

    def repository(self, name: RepositoryName) -> Deferred[IRepository]:
        """Fire with a repository; its objects are cached."""
        known = self._repositories.get(name)
        if known is None:
            return self._flights.join(name, lambda: self._make(name))
        return succeed(known)

    def repositories(
        self, after: str = "", limit: int | None = None
    ) -> Deferred[list[RepositoryName]]:
        """Fire with the repositories that have stored content."""
        return self._local.repositories(after=after, limit=limit)

    def forget_answers(self, is_meant: Callable[[RepositoryName], bool]) -> None:
        """Forget answers about tags; see :class:`ITagAnswers`."""
        self._cache.answers.pop_where(lambda key: is_meant(key[0]))
        self._cache.changes.note()

    @deferred
    async def _make(self, name: RepositoryName) -> IRepository:
        local = await self._local.repository(name)
        remote = await self._remote.repository(name)
        manifests = cast(IManifestStore, local.manifests)
        tags = cast(ITagStore, local.tags)
        cache = self._cache
        stored = ProxyManifests(name, manifests, tags, remote.manifests, cache)
        has_urls = IBlobLocator.providedBy(local.blobs)
        blobs = LocatedProxyBlobs if has_urls else ProxyBlobs
        found = ProxyRepository(
            name,
            blobs(name, local.blobs, manifests, remote.blobs, self._adopt, cache),
            stored,
            ProxyTags(
                name,
                tags,
                KnownTags(name, tags, manifests, stored.store, cache),
                cast(IRemoteTags, remote.tags),
                cache,
            ),
            ProxyReferrers(
                name,
                local.referrers,
                remote.referrers,
                self._lists,
                cache.policy,
                cache.clock,
            ),
        )
        self._repositories.put(name, found)
        return found

    @deferred
    async def _adopt(self, name: RepositoryName, descriptor: Descriptor) -> None:
        repository = await self.repository(name)
        await cast(ProxyBlobs, repository.blobs).adopt(descriptor)
