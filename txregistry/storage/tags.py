"""The tags of one local repository."""

from __future__ import annotations

import posixpath
from bisect import bisect_right

import attrs
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.interfaces.driver import IStorageDriver, PathNotFound
from txregistry.interfaces.tags import ITagStore, Tags
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import ManifestUnknown, NameUnknown, TagInvalid
from txregistry.spec.reference import RepositoryName, Tag
from txregistry.storage import layout
from txregistry.storage.links import Links


@implementer(ITagStore)
@attrs.define(eq=False)
class LinkedTags:
    """Tags as directories of link files."""

    _name: RepositoryName
    _driver: IStorageDriver

    @deferred
    async def get(self, tag: Tag) -> Descriptor:
        """Fire with what a tag stands for; its size is not known here."""
        digest = await self._current(tag)
        if digest is None:
            raise ManifestUnknown({"tag": str(tag)})
        return Descriptor(digest, None)

    @deferred
    async def list(self, after: str = "", limit: int | None = None) -> Tags:
        """Fire with a page of the tags, in code point order."""
        try:
            paths = await self._driver.list(layout.tags(self._name))
        except PathNotFound as error:
            raise NameUnknown({"name": str(self._name)}) from error
        names = sorted(posixpath.basename(path) for path in paths)
        first = bisect_right(names, after) if after else 0
        tags = [tag for name in names[first:] if (tag := _tag(name)) is not None]
        return tags[:limit]

    @deferred
    async def tag(self, tag: Tag, descriptor: Descriptor) -> None:
        """Let a tag stand for a manifest; the history comes first."""
        links = Links(self._driver)
        digest = descriptor.digest
        await links.write(layout.tag_index(self._name, tag, digest), digest)
        await links.write(layout.tag_current(self._name, tag), digest)

    @deferred
    async def untag(self, tag: Tag) -> None:
        """Remove a tag and its history."""
        removed = await Links(self._driver).remove(
            layout.tag(self._name, tag), layout.REPOSITORIES
        )
        if not removed:
            raise ManifestUnknown({"tag": str(tag)})

    @deferred
    async def lookup(self, digest: Digest) -> Tags:
        """Fire with the tags that stand for a manifest now."""
        try:
            tags = await self.list()
        except NameUnknown:
            return []
        return [tag for tag in tags if await self._current(tag) == digest]

    @deferred
    async def _current(self, tag: Tag) -> Digest | None:
        return await Links(self._driver).read(layout.tag_current(self._name, tag))


def _tag(name: str) -> Tag | None:
    try:
        return Tag.parse(name)
    except TagInvalid:
        return None  # something else lies there
