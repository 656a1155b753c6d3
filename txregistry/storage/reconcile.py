"""Look at the tree so that the index can be believed: see Note [Ensuring]."""

from __future__ import annotations

import posixpath
from collections.abc import AsyncIterator, Callable, Hashable
from typing import Any

import attrs
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from txregistry.flow.deferred import Flights, deferred
from txregistry.interfaces.driver import DriverError, IStorageDriver, PathNotFound
from txregistry.spec.digest import HEX_LENGTHS, Digest
from txregistry.spec.errors import (
    DigestInvalid,
    ManifestInvalid,
    NameInvalid,
    TagInvalid,
)
from txregistry.spec.manifest.parse import parse
from txregistry.spec.reference import RepositoryName, Tag
from txregistry.storage import index, layout
from txregistry.storage.index import Statement, TreeIndex
from txregistry.storage.links import Links

#: Parts of an index that are believed; beyond this many all are looked at again.
MAX_ENSURED = 100_000

#: Files that are looked at before others get their turn.
_PER_TURN = 64


@attrs.define(eq=False)
class Reconciler:
    """Ensures the parts of an index, each once."""

    _driver: IStorageDriver
    index: TreeIndex
    _clock: IReactorTime
    _ensured: set[Hashable] = attrs.field(factory=set)
    _seen: set[RepositoryName] = attrs.field(factory=set)
    _flights: Flights[Hashable, None] = attrs.field(factory=Flights)

    @property
    def knows_repositories(self) -> bool:
        """Tell whether the catalogue can be believed."""
        return "repositories" in self._ensured

    @deferred
    async def repositories(self) -> None:
        """Ensure the catalogue."""
        await self._ensure("repositories", self._look_for_repositories)

    @deferred
    async def tags(self, name: RepositoryName) -> None:
        """Ensure the names of a repository's tags."""
        await self._ensure((name, "tags"), lambda: self._look_for_tags(name))

    @deferred
    async def digests(self, name: RepositoryName) -> None:
        """Ensure what a repository's tags stand for."""
        await self.tags(name)
        await self._ensure((name, "digests"), lambda: self._read_tags(name))

    @deferred
    async def referrers(self, name: RepositoryName) -> None:
        """Ensure what a repository's manifests refer to."""
        key = (name, "referrers")
        await self._ensure(key, lambda: self._look_for_manifests(name))

    def __attrs_post_init__(self) -> None:
        # What is no longer known for certain is looked at again.
        self.index.on_failure = self._ensured.clear

    def added(self, name: RepositoryName, *statements: Statement) -> None:
        """Record that a repository holds something, and perhaps more."""
        if name in self._seen and not statements:
            return
        self.index.write(index.repository_added(name), *statements)
        if len(self._seen) >= MAX_ENSURED:
            self._seen.clear()
        self._seen.add(name)

    @deferred
    async def removed(self, name: RepositoryName, *statements: Statement) -> None:
        """Record that something is gone, and the repository if that was all."""
        if not await self.is_there(name):
            self._seen.discard(name)
            statements += (index.repository_gone(name),)
        self.index.write(*statements)

    @deferred
    async def is_there(self, name: RepositoryName) -> bool:
        """Fire with whether a repository holds anything."""
        for part in (layout.MANIFESTS, layout.LAYERS):
            try:
                await self._driver.stat(path=f"{layout.repository(name)}/{part}")
            except PathNotFound:
                continue
            return True
        return False

    @deferred
    async def _ensure(self, key: Hashable, look: Callable[[], Any]) -> None:
        if key not in self._ensured:
            await self._flights.join(key, lambda: self._renew(key, look))

    @deferred
    async def _renew(self, key: Hashable, look: Callable[[], Any]) -> None:
        await self.index.renew(look)
        if len(self._ensured) >= MAX_ENSURED:
            self._ensured.intersection_update({"repositories"})
        self._ensured.add(key)

    async def _look_for_repositories(self) -> list[Statement]:
        found: list[Statement] = [("DELETE FROM repositories", ())]
        async for name in walk_repositories(self._driver):
            found.append(index.repository_added(name))
            await self._breathe(len(found))
        return found

    async def _look_for_tags(self, name: RepositoryName) -> list[Statement]:
        present: set[Tag] = set()
        async for tag in tags_in_tree(self._driver, name):
            await self._breathe(len(present))
            present.add(tag)
        known = set(await self.index.tags(name, "", None))
        return [
            index.digests_unread(name),
            *(index.tag_gone(name, tag) for tag in known - present),
            *(index.tag_seen(name, tag) for tag in present - known),
        ]

    async def _read_tags(self, name: RepositoryName) -> list[Statement]:
        found: list[Statement] = []
        for tag in await self.index.tags_unread(name, -1):
            await self._breathe(len(found))
            link = layout.tag_current(name, tag)
            digest = await Links(self._driver).read(link)
            if digest is not None:
                found.append(index.tag_set(name, tag, digest))
        return found

    async def _look_for_manifests(self, name: RepositoryName) -> list[Statement]:
        known = await self.index.manifests(name)
        present: set[str] = set()
        async for digest in revisions_in_tree(self._driver, name):
            await self._breathe(len(present))
            present.add(str(digest))
        found = [
            index.manifest_gone(name, Digest.parse(gone)) for gone in known - present
        ]
        for new in sorted(present - known):
            await self._breathe(len(found))
            found += await self._read_manifest(name, Digest.parse(new))
        return found

    async def _read_manifest(
        self, name: RepositoryName, digest: Digest
    ) -> list[Statement]:
        try:
            content = await self._driver.get(path=layout.blob_data(digest))
            manifest = parse(content, algorithm=digest.algorithm)
        except (DriverError, ManifestInvalid):
            return []  # a link to nothing refers to nothing
        if Digest.of(content, digest.algorithm) != digest:
            return []  # neither does what is damaged
        return [index.manifest_added(name, attrs.evolve(manifest, digest=digest))]

    async def _breathe(self, done: int) -> None:
        if done % _PER_TURN == _PER_TURN - 1:
            await deferLater(self._clock, 0)


async def walk_repositories(
    driver: IStorageDriver, path: str = layout.REPOSITORIES
) -> AsyncIterator[RepositoryName]:
    """Visit the names that hold blobs or manifests, in the order of names."""
    try:
        children = await driver.list(path=path)
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
            async for name in walk_repositories(driver, child):
                yield name


async def tags_in_tree(
    driver: IStorageDriver, name: RepositoryName
) -> AsyncIterator[Tag]:
    """Visit the tags that stand for something, sorted.

    One of which a crash left the directory does not, in whichever order its links came.
    """
    try:
        paths = await driver.list(path=layout.tags(name))
    except PathNotFound:
        return
    for path in paths:
        tag = _tag(posixpath.basename(path))
        if tag is not None and await _is_there(driver, layout.tag_current(name, tag)):
            yield tag


async def revisions_in_tree(
    driver: IStorageDriver, name: RepositoryName
) -> AsyncIterator[Digest]:
    """Visit the digests of the manifests that are linked."""
    for algorithm in HEX_LENGTHS:
        async for digest in _digests(driver, f"{layout.revisions(name)}/{algorithm}"):
            yield digest


async def layers_in_tree(
    driver: IStorageDriver, name: RepositoryName
) -> AsyncIterator[Digest]:
    """Visit the digests of the blobs that are linked, aliases included."""
    for algorithm in HEX_LENGTHS:
        async for digest in _digests(driver, f"{layout.layers(name)}/{algorithm}"):
            yield digest


async def _digests(driver: IStorageDriver, path: str) -> AsyncIterator[Digest]:
    try:
        paths = await driver.list(path=path)
    except PathNotFound:
        return
    algorithm = posixpath.basename(path)
    for child in paths:
        digits = posixpath.basename(child)
        try:
            digest = Digest.parse(f"{algorithm}:{digits}")
        except DigestInvalid:
            continue  # something else lies there
        if await _is_there(driver, f"{child}/link"):
            yield digest


async def _is_there(driver: IStorageDriver, path: str) -> bool:
    try:
        await driver.stat(path=path)
    except PathNotFound:
        return False
    return True


def _name(path: str) -> RepositoryName | None:
    try:
        return RepositoryName.parse(path.removeprefix(f"{layout.REPOSITORIES}/"))
    except NameInvalid:
        return None


def _tag(name: str) -> Tag | None:
    try:
        return Tag.parse(name)
    except TagInvalid:
        return None  # something else lies there
