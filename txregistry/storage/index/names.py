"""Queries for names: answered from the index, or from the tree if that fails.

The index follows the tree, so pending rows are written before each query. A full disk,
or an index file that is lost or cannot be opened, must not prevent reads: then the tree
itself is walked, which takes time proportional to its number of names. So it is where
others change the tree as well, of which the index knows nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TypeVar

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from txregistry.flow.deferred import deferred
from txregistry.flow.sized import SizedCache
from txregistry.flow.turns import Turns
from txregistry.interfaces.driver import IStorageDriver
from txregistry.interfaces.referrers import Referrer, Referrers
from txregistry.interfaces.tags import Tags
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName, Tag
from txregistry.storage.index.reconcile import Reconciler
from txregistry.storage.index.statements import sort_key
from txregistry.storage.index.tree_index import IndexLost
from txregistry.storage.tree import layout
from txregistry.storage.tree.links import Links
from txregistry.storage.tree.walk import (
    manifest_in_tree,
    revisions_in_tree,
    tags_in_tree,
    walk_repositories,
)

T = TypeVar("T")

#: Errors of an index that cannot be queried now.
_UNUSABLE = (sqlite3.Error, IndexLost)

#: Names gathered beyond twice the page size before they are sorted.
_SPARE = 256

#: Bytes of memory for what manifests refer to, where the tree is walked for it.
_REFERRER_BYTES = 16 * 1024 * 1024

#: Seconds between two log lines that the index cannot be used.
_TELL_SECONDS = 60.0


#: The subject of a manifest, and the manifest as its referrer.
_Reference = tuple[Digest, Referrer]


@attrs.define(eq=False)
class Names:
    """Repositories, tags and referrers of one store."""

    _driver: IStorageDriver
    _reconciler: Reconciler
    _clock: IReactorTime
    _references: SizedCache[Digest, tuple[_Reference, ...]] = attrs.field(
        factory=lambda: SizedCache(_REFERRER_BYTES)
    )
    _told_at: float = float("-inf")
    _log = Logger()

    @deferred
    async def repositories(self, after: str, limit: int | None) -> list[RepositoryName]:
        """Fire with the names that sort after ``after``, component by component."""
        known = await self._indexed(
            self._reconciler.repositories,
            lambda: self._reconciler.index.queries.repositories(after, limit),
        )
        if known is not None:
            return known
        found = walk_repositories(self._driver, self._reconciler.tell_unreadable)
        return await self._first(found, _sort_key, sort_key(after), limit)

    @deferred
    async def tags(self, name: RepositoryName, after: str, limit: int | None) -> Tags:
        """Fire with the tags that sort after ``after``, by code point."""
        known = await self._indexed(
            lambda: self._reconciler.tags(name),
            lambda: self._reconciler.index.queries.tags(name, after, limit),
        )
        if known is not None:
            return known
        return await self._first(tags_in_tree(self._driver, name), str, after, limit)

    @deferred
    async def tags_of(self, name: RepositoryName, digest: Digest) -> Tags:
        """Fire with the tags that may stand for a digest, sorted."""
        known = await self._indexed(
            lambda: self._reconciler.digests(name),
            lambda: self._reconciler.index.queries.tags_of(name, digest),
        )
        if known is not None:
            return known
        return await self._first(self._tags_of(name, digest), str, "", None)

    @deferred
    async def referrers(
        self,
        name: RepositoryName,
        subject: Digest,
        artifact_type: str | None,
        after: str,
        limit: int | None,
    ) -> Referrers:
        """Fire with the manifests that refer to a subject, sorted by digest."""
        known = await self._indexed(
            lambda: self._reconciler.referrers(name),
            lambda: self._reconciler.index.queries.referrers(
                name, subject, artifact_type, after, limit
            ),
        )
        if known is not None:
            return known
        found = self._referrers(name, subject, artifact_type)
        return await self._first(found, _digest, after, limit)

    @deferred
    async def manifests(
        self, name: RepositoryName, digests: Sequence[Digest]
    ) -> set[Digest]:
        """Fire with those of at most 500 digests that are manifests of a repository."""
        known = await self._indexed(
            lambda: self._reconciler.referrers(name),
            lambda: self._reconciler.index.queries.manifests(name, digests),
        )
        if known is not None:
            return known
        return {digest for digest in digests if await self._is_linked(name, digest)}

    @deferred
    async def _indexed(
        self, ensure: Callable[[], Deferred[None]], query: Callable[[], Deferred[T]]
    ) -> T | None:
        """Fire with what the index says; ``None`` if the tree has to be walked."""
        if self._driver.is_shared:
            return None
        try:
            await ensure()
            return await query()
        except _UNUSABLE as error:
            self._tell(error)
        return None

    @deferred
    async def _is_linked(self, name: RepositoryName, digest: Digest) -> bool:
        link = layout.revision_link(name, digest)
        return await Links(self._driver).read(link) is not None

    async def _first(
        self,
        found: AsyncIterator[T],
        key: Callable[[T], str],
        after: str,
        limit: int | None,
    ) -> list[T]:
        """Give the first items in the order of a key.

        Takes memory for about twice the page size, however many items there are.
        """
        kept: list[T] = []
        async for item in Turns(self._clock).over(found):
            if key(item) > after:
                kept.append(item)
            if limit is not None and len(kept) >= 2 * limit + _SPARE:
                kept = sorted(kept, key=key)[:limit]
        return sorted(kept, key=key)[:limit]

    async def _tags_of(
        self, name: RepositoryName, digest: Digest
    ) -> AsyncIterator[Tag]:
        links = Links(self._driver)
        async for tag in tags_in_tree(self._driver, name):
            if await links.read(layout.tag_current(name, tag)) == digest:
                yield tag

    async def _referrers(
        self, name: RepositoryName, subject: Digest, artifact_type: str | None
    ) -> AsyncIterator[Referrer]:
        async for digest in revisions_in_tree(self._driver, name):
            for about, referrer in await self._reference(digest):
                if about == subject and artifact_type in (None, referrer.artifact_type):
                    yield referrer

    @deferred
    async def _reference(self, digest: Digest) -> tuple[_Reference, ...]:
        """Fire with what a manifest refers to, if anything: that never changes."""
        known = self._references.get(digest)
        if known is not None:
            return known
        manifest = await manifest_in_tree(self._driver, digest)
        if manifest is None:
            return ()  # its content may come back
        found: tuple[_Reference, ...] = ()
        if manifest.subject is not None:
            referrer = Referrer(
                manifest.descriptor, manifest.artifact_type, manifest.annotations
            )
            found = ((manifest.subject.digest, referrer),)
        size = sum(referrer.memory_bytes for _, referrer in found)
        self._references.put(digest, found, size)
        return found

    def _tell(self, error: Exception) -> None:
        now = self._clock.seconds()
        if now - self._told_at >= _TELL_SECONDS:
            self._told_at = now
            self._log.warn(
                "the index of names cannot be used, walking the tree instead: {error}",
                error=str(error),
            )


def _sort_key(name: RepositoryName) -> str:
    return sort_key(str(name))


def _digest(referrer: Referrer) -> str:
    return str(referrer.descriptor.digest)
