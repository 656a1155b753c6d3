"""The local registry, put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import cast

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.flow.sessions import Sessions
from txregistry.interfaces.blobs import IBlobDescriptorService
from txregistry.interfaces.driver import IGrowingFiles, IStorageDriver, IURLProvider
from txregistry.interfaces.namespace import (
    IBlobFinder,
    INamespace,
    IRepository,
    ISignedRepository,
)
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName
from txregistry.storage.caches.descriptors import (
    BelievedStatter,
    CachedStatter,
    LinkStatter,
    SharedStatter,
)
from txregistry.storage.caches.local import Caches
from txregistry.storage.content.store import Content
from txregistry.storage.index.names import Names
from txregistry.storage.index.reconcile import Reconciler
from txregistry.storage.repository.blobs import (
    LinkedBlobs,
    LinkedStatter,
    LocatedBlobs,
)
from txregistry.storage.repository.manifests import LinkedManifests
from txregistry.storage.repository.referrers import IndexedReferrers, TaggedLists
from txregistry.storage.repository.signatures import LinkedSignatures
from txregistry.storage.repository.tags import LinkedTags
from txregistry.storage.tree import layout
from txregistry.storage.tree.links import Links
from txregistry.storage.uploads.context import UploadContext
from txregistry.storage.uploads.hashing import HashStates
from txregistry.storage.uploads.pending_uploads import PendingUploads, UploadKey
from txregistry.storage.uploads.sessions import UploadSessions

#: Repositories that are searched for a blob of unknown place.
MAX_CANDIDATES = 256

#: Repositories whose objects are kept.
COMPOSED_REPOSITORIES = 256


@implementer(ISignedRepository)
@attrs.frozen
class LocalRepository:
    """One repository of the local store, with all optional powers."""

    name: RepositoryName
    blobs: LinkedBlobs
    manifests: LinkedManifests
    tags: LinkedTags
    referrers: IndexedReferrers
    signatures: LinkedSignatures


@implementer(INamespace, IBlobFinder)
@attrs.define(eq=False)
class LocalNamespace:
    """Distribution's directory tree on a driver.

    :param keeps_signatures: stores schema 1 signatures beside the manifests.
    """

    _driver: IStorageDriver
    _content: Content
    _caches: Caches
    _reconciler: Reconciler
    _states: HashStates
    _pending: PendingUploads
    _clock: IReactorTime
    _keeps_signatures: bool = True
    _sessions: Sessions[UploadKey] = attrs.field(factory=Sessions)
    _names: Names = attrs.field(init=False)
    _tagged_lists: TaggedLists = attrs.field(init=False)
    _composed: Callable[[RepositoryName], LocalRepository] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._names = Names(self._driver, self._reconciler, self._clock)
        self._tagged_lists = TaggedLists(self._clock)
        # Repositories have no state of their own, and a push asks for its one ten
        # times.
        self._composed = lru_cache(COMPOSED_REPOSITORIES)(self._compose)

    def repository(self, name: RepositoryName) -> Deferred[IRepository]:
        """Fire with a repository; any valid name is one."""
        return succeed(self._composed(name))

    @deferred
    async def repositories(
        self, after: str = "", limit: int | None = None
    ) -> list[RepositoryName]:
        """Fire with a page of the names that hold blobs or manifests."""
        return await self._names.repositories(after, limit)

    @deferred
    async def holder(
        self, digest: Digest, candidates: Sequence[RepositoryName] | None = None
    ) -> RepositoryName | None:
        """Fire with a repository that links a blob; see :class:`IBlobFinder`."""
        if candidates is None:
            candidates = await self._names.repositories("", MAX_CANDIDATES)
        links = Links(self._driver)
        for name in candidates[:MAX_CANDIDATES]:
            if await links.read(layout.layer_link(name, digest)) is not None:
                return name
        return None

    def _compose(self, name: RepositoryName) -> LocalRepository:
        tags = LinkedTags(name, self._driver, self._reconciler, self._names)
        signatures = LinkedSignatures(
            name, self._driver, self._content, self._keeps_signatures
        )
        descriptors = self._descriptors(name)
        manifests = LinkedManifests(
            name,
            self._driver,
            self._content,
            self._caches.manifests,
            descriptors,
            tags,
            signatures,
            self._reconciler,
            self._clock,
        )
        referrers = IndexedReferrers(
            name, self._names, tags, manifests, self._tagged_lists
        )
        blobs = self._compose_blobs(name, descriptors)
        return LocalRepository(name, blobs, manifests, tags, referrers, signatures)

    def _uploads(
        self, name: RepositoryName, descriptors: IBlobDescriptorService
    ) -> UploadSessions:
        context = UploadContext(
            name,
            self._driver,
            self._content,
            descriptors,
            self._pending,
            self._states,
            self._reconciler,
        )
        return UploadSessions(context, self._sessions)

    def _compose_blobs(
        self, name: RepositoryName, descriptors: IBlobDescriptorService
    ) -> LinkedBlobs:
        parts = (
            name,
            Links(self._driver),
            self._content,
            descriptors,
            self._uploads(name, descriptors),
            self._reconciler,
            self._clock,
        )
        if IURLProvider.providedBy(self._driver):
            return LocatedBlobs(*parts, cast(IURLProvider, self._driver))
        return LinkedBlobs(*parts)

    def _descriptors(self, name: RepositoryName) -> IBlobDescriptorService:
        cache = self._caches.descriptors
        remembered = cache.repository(name=name)
        statter = LinkedStatter(name, Links(self._driver), self._content)
        if self._driver.is_shared and not cache.is_shared:
            return LinkStatter(statter.linked)
        if not cache.is_shared:
            return CachedStatter(remembered, statter)
        if IGrowingFiles.providedBy(self._driver):
            return SharedStatter(remembered, statter.linked, self._content)
        return BelievedStatter(CachedStatter(remembered, statter), statter, cache)
