"""A cache of one upstream, put together."""

from __future__ import annotations

from typing import cast

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from txregistry.flow.deferred import Flights, deferred
from txregistry.flow.lru import Lru
from txregistry.interfaces.blobs import IContent
from txregistry.interfaces.expiry import ITagMemory, IUsage
from txregistry.interfaces.manifests import IManifestStore
from txregistry.interfaces.namespace import INamespace, IRepository
from txregistry.interfaces.observe import IMeter
from txregistry.interfaces.tags import IRemoteTags, ITagStore
from txregistry.proxy.blobs import ProxyBlobs
from txregistry.proxy.fills import Fills
from txregistry.proxy.lists import TagLists
from txregistry.proxy.manifests import ProxyManifests
from txregistry.proxy.pending import PendingTags
from txregistry.proxy.referrers import ProxyReferrers, ReferrerMemory, make_memory
from txregistry.proxy.rights import Rights
from txregistry.proxy.tags import ProxyTags, TagMemory, make_tag_memory
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.freshness import TagPolicy
from txregistry.spec.reference import RepositoryName

#: Repositories that are kept put together: about ten kilobytes each.
MAX_REPOSITORIES = 1_000


@implementer(IRepository)
@attrs.frozen
class ProxyRepository:
    """One repository of a cache; it takes no pushes, so it has no such powers."""

    name: RepositoryName
    blobs: ProxyBlobs
    manifests: ProxyManifests
    tags: ProxyTags
    referrers: ProxyReferrers


@implementer(INamespace)
@attrs.define(eq=False)
class ProxyNamespace:
    """Local storage in front of an upstream."""

    _local: INamespace
    _remote: INamespace
    _content: IContent
    _fills: Fills
    _policy: TagPolicy
    _memory: ITagMemory
    _usage: IUsage
    _meter: IMeter
    _clock: IReactorTime
    _started_at: float
    _recheck_seconds: float = 0.0
    _pending: PendingTags = attrs.field(factory=PendingTags)
    _tag_lists: TagLists = attrs.field(init=False)
    _rights: Rights = attrs.field(init=False)
    _lists: ReferrerMemory = attrs.field(factory=make_memory)
    _seen_tags: TagMemory = attrs.field(factory=make_tag_memory)
    _known: Lru[RepositoryName, IRepository] = attrs.field(
        factory=lambda: Lru(MAX_REPOSITORIES)
    )
    _flights: Flights[RepositoryName, IRepository] = attrs.field(factory=Flights)

    def __attrs_post_init__(self) -> None:
        self._tag_lists = TagLists(self._policy)
        self._rights = Rights(self._recheck_seconds, self._memory, self._clock)

    def repository(self, name: RepositoryName) -> Deferred[IRepository]:
        """Fire with a repository, put together once."""
        known = self._known.get(name)
        if known is None:
            return self._flights.join(name, lambda: self._compose(name))
        return succeed(known)

    def repositories(
        self, after: str = "", limit: int | None = None
    ) -> Deferred[list[RepositoryName]]:
        """Fire with the repositories of which something is stored."""
        return self._local.repositories(after=after, limit=limit)

    @deferred
    async def _compose(self, name: RepositoryName) -> IRepository:
        local = await self._local.repository(name)
        remote = await self._remote.repository(name)
        manifests = cast(IManifestStore, local.manifests)
        tags = cast(ITagStore, local.tags)
        stored = ProxyManifests(
            name,
            manifests,
            tags,
            remote.manifests,
            self._content,
            self._pending,
            self._fills.sizes,
            self._rights,
            self._usage,
            self._memory,
            self._meter,
            self._clock,
        )
        found = ProxyRepository(
            name,
            ProxyBlobs(
                name,
                local.blobs,
                manifests,
                remote.blobs,
                self._content,
                self._fills,
                self._adopt,
                self._rights,
                self._usage,
                self._meter,
                self._clock,
            ),
            stored,
            ProxyTags(
                name,
                tags,
                manifests,
                cast(IRemoteTags, remote.tags),
                stored.keep,
                self._tag_lists,
                self._seen_tags,
                self._policy,
                self._memory,
                self._pending,
                self._usage,
                self._meter,
                self._clock,
                self._started_at,
            ),
            ProxyReferrers(
                name, remote.referrers, self._lists, self._policy, self._clock
            ),
        )
        self._known.put(name, found)
        return found

    @deferred
    async def _adopt(self, name: RepositoryName, descriptor: Descriptor) -> None:
        repository = await self.repository(name)
        await cast(ProxyBlobs, repository.blobs).adopt(descriptor)
