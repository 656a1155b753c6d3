"""Queries for names: answered from the index, or from the tree if that fails.

The index follows the tree, so pending rows are written before each query. A full disk,
or an index file that is lost or cannot be opened, must not prevent reads: then the tree
itself is walked, which takes time proportional to its number of names.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TypeVar

import attrs
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from txregistry.flow.deferred import deferred
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

#: Seconds between two log lines that the index cannot be used.
_TELL_SECONDS = 60.0


@attrs.define(eq=False)
class Names:
    """Repositories, tags and referrers of one store."""

    _driver: IStorageDriver
    _reconciler: Reconciler
    _clock: IReactorTime
    _told_at: float = float("-inf")
    _log = Logger()

    @deferred
    async def repositories(self, after: str, limit: int | None) -> list[RepositoryName]:
        """Fire with the names that sort after ``after``, component by component."""
        try:
            await self._reconciler.repositories()
            return await self._reconciler.index.repositories(after, limit)
        except _UNUSABLE as error:
            self._tell(error)
        found = walk_repositories(self._driver, self._reconciler.tell_unreadable)
        return await self._first(found, _sort_key, sort_key(after), limit)

    @deferred
    async def tags(self, name: RepositoryName, after: str, limit: int | None) -> Tags:
        """Fire with the tags that sort after ``after``, by code point."""
        try:
            await self._reconciler.tags(name)
            tags: Tags = await self._reconciler.index.tags(name, after, limit)
            return tags
        except _UNUSABLE as error:
            self._tell(error)
        return await self._first(tags_in_tree(self._driver, name), str, after, limit)

    @deferred
    async def tags_of(self, name: RepositoryName, digest: Digest) -> Tags:
        """Fire with the tags that may stand for a digest, sorted."""
        try:
            await self._reconciler.digests(name)
            tags: Tags = await self._reconciler.index.tags_of(name, digest)
            return tags
        except _UNUSABLE as error:
            self._tell(error)
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
        try:
            await self._reconciler.referrers(name)
            return await self._reconciler.index.referrers(
                name, subject, artifact_type, after, limit
            )
        except _UNUSABLE as error:
            self._tell(error)
        found = self._referrers(name, subject, artifact_type)
        return await self._first(found, _digest, after, limit)

    @deferred
    async def manifests(
        self, name: RepositoryName, digests: Sequence[Digest]
    ) -> set[Digest]:
        """Fire with those of at most 500 digests that are manifests of a repository."""
        try:
            await self._reconciler.referrers(name)
            return await self._reconciler.index.manifests(name, digests)
        except _UNUSABLE as error:
            self._tell(error)
        return {digest for digest in digests if await self._is_linked(name, digest)}

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
            manifest = await manifest_in_tree(self._driver, digest)
            if manifest is None or manifest.subject is None:
                continue
            is_wanted = artifact_type in (None, manifest.artifact_type)
            if is_wanted and manifest.subject.digest == subject:
                yield Referrer(
                    manifest.descriptor, manifest.artifact_type, manifest.annotations
                )

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
