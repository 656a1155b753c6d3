"""The tags of one local repository."""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.interfaces.driver import Change, IStorageDriver
from txregistry.interfaces.tags import ITagStore, Tags
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import ManifestUnknown, NameUnknown
from txregistry.spec.reference import RepositoryName, Tag
from txregistry.storage.index import statements
from txregistry.storage.index.names import Names
from txregistry.storage.index.reconcile import Reconciler
from txregistry.storage.tree import layout
from txregistry.storage.tree.links import Links


@implementer(ITagStore)
@attrs.define(eq=False)
class LinkedTags:
    """Tags as directories of link files."""

    _name: RepositoryName
    _driver: IStorageDriver
    _reconciler: Reconciler
    _names: Names

    @deferred
    async def get(self, tag: Tag) -> Descriptor:
        """Fire with what a tag stands for; the size is unknown here."""
        digest = await self._current(tag)
        if digest is None:
            raise ManifestUnknown({"tag": str(tag)})
        return Descriptor(digest, None)

    @deferred
    async def list(self, after: str = "", limit: int | None = None) -> Tags:
        """Fire with a page of the tags, in code point order."""
        found = await self._names.tags(self._name, after, limit)
        if not found and not await self._reconciler.is_there(self._name):
            raise NameUnknown({"name": str(self._name)})
        return found

    def tag(self, tag: Tag, descriptor: Descriptor) -> Deferred[None]:
        """Let a tag stand for a manifest; the history is written first."""
        return self._reconciler.tagging.run(
            (self._name, tag), lambda: self._tag(tag, descriptor.digest)
        )

    @deferred
    async def _tag(self, tag: Tag, digest: Digest) -> None:
        links = Links(self._driver)
        changes = await tag_changes(links, self._name, tag, digest)
        await links.apply(changes)
        fact = statements.tag_set(self._name, tag, digest)
        self._reconciler.added(self._name, fact)

    def untag(self, tag: Tag, digest: Digest | None = None) -> Deferred[None]:
        """Remove a tag and its history."""
        return self._reconciler.tagging.run(
            (self._name, tag), lambda: self._untag(tag, digest)
        )

    @deferred
    async def _untag(self, tag: Tag, digest: Digest | None) -> None:
        if digest is not None and await self._current(tag) != digest:
            raise ManifestUnknown({"tag": str(tag)})
        removed = await Links(self._driver).remove(
            layout.tag(self._name, tag), layout.REPOSITORIES
        )
        await self._reconciler.removed(self._name, statements.tag_gone(self._name, tag))
        if not removed:
            raise ManifestUnknown({"tag": str(tag)})

    @deferred
    async def lookup(self, digest: Digest) -> Tags:
        """Fire with the tags that stand for a manifest now."""
        found = await self._names.tags_of(self._name, digest)
        return [tag for tag in found if await self._current(tag) == digest]

    @deferred
    async def _current(self, tag: Tag) -> Digest | None:
        return await Links(self._driver).read(layout.tag_current(self._name, tag))


@deferred
async def tag_changes(
    links: Links, name: RepositoryName, tag: Tag, digest: Digest
) -> list[Change]:
    """Fire with the changes that set a tag; the history is written first."""
    return [
        *await links.change(layout.tag_index(name, tag, digest), digest),
        *await links.change(layout.tag_current(name, tag), digest),
    ]
