"""The local registry, put together."""

from __future__ import annotations

import posixpath
from collections.abc import AsyncIterator

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.interfaces.driver import IStorageDriver, PathNotFound
from txregistry.interfaces.namespace import INamespace, IRepository
from txregistry.spec.errors import NameInvalid
from txregistry.spec.reference import RepositoryName
from txregistry.storage import layout
from txregistry.storage.blobs import LinkedBlobs, LinkedStatter
from txregistry.storage.caches import Caches
from txregistry.storage.content import Content
from txregistry.storage.descriptors import CachedStatter, RepositoryDescriptors
from txregistry.storage.links import Links
from txregistry.storage.manifests import LinkedManifests
from txregistry.storage.signatures import LinkedSignatures
from txregistry.storage.tags import LinkedTags


@implementer(IRepository)
@attrs.frozen
class LocalRepository:
    """One repository of the local store, with all optional powers."""

    name: RepositoryName
    blobs: LinkedBlobs
    manifests: LinkedManifests
    tags: LinkedTags
    signatures: LinkedSignatures


@implementer(INamespace)
@attrs.define(eq=False)
class LocalNamespace:
    """Distribution's directory tree on a driver."""

    _driver: IStorageDriver
    _content: Content
    _caches: Caches
    _clock: IReactorTime

    def repository(self, name: RepositoryName) -> Deferred[IRepository]:
        """Fire with a repository; any valid name is one."""
        return succeed(self._compose(name))

    @deferred
    async def repositories(
        self, after: str = "", limit: int | None = None
    ) -> list[RepositoryName]:
        """Fire with a page of the names that hold blobs or manifests."""
        found: list[RepositoryName] = []
        if limit == 0:
            return found
        async for name in self._walk(layout.REPOSITORIES):
            if str(name).split("/") > after.split("/"):
                found.append(name)
            if len(found) == limit:
                break
        return found

    def _compose(self, name: RepositoryName) -> LocalRepository:
        tags = LinkedTags(name, self._driver)
        signatures = LinkedSignatures(name, self._driver)
        statter = LinkedStatter(name, Links(self._driver), self._content)
        cached = RepositoryDescriptors(self._caches.descriptors, name)
        descriptors = CachedStatter(cached, statter)
        return LocalRepository(
            name,
            LinkedBlobs(name, self._driver, self._content, descriptors, self._clock),
            LinkedManifests(
                name,
                self._driver,
                self._content,
                self._caches.manifests,
                tags,
                signatures,
            ),
            tags,
            signatures,
        )

    async def _walk(self, path: str) -> AsyncIterator[RepositoryName]:
        try:
            children = await self._driver.list(path)
        except PathNotFound:
            return
        names = [posixpath.basename(child) for child in children]
        if layout.LAYERS in names or layout.MANIFESTS in names:
            name = _name(path)
            if name is not None:
                yield name
        for child, name_part in zip(children, names, strict=True):
            # What begins with an underscore is ours, not a part of a name.
            if not name_part.startswith("_"):
                async for name in self._walk(child):
                    yield name


def _name(path: str) -> RepositoryName | None:
    try:
        return RepositoryName.parse(path.removeprefix(f"{layout.REPOSITORIES}/"))
    except NameInvalid:
        return None
