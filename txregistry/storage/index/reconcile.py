"""Read the tree so that the index can be trusted: see Note [Ensuring]."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from functools import partial

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from txregistry.flow.deferred import deferred
from txregistry.flow.flights import Flights
from txregistry.flow.keyed_locks import KeyedLocks
from txregistry.flow.turns import Turns
from txregistry.interfaces.driver import (
    DriverError,
    IStorageDriver,
    PathNotFound,
)
from txregistry.spec.digest import Digest
from txregistry.spec.reference import RepositoryName, Tag
from txregistry.storage.index import statements
from txregistry.storage.index.statements import CATALOGUE, Fact
from txregistry.storage.index.tree_index import Look, TreeIndex
from txregistry.storage.tree import layout
from txregistry.storage.tree.links import Links
from txregistry.storage.tree.walk import (
    manifest_in_tree,
    revisions_in_tree,
    tags_in_tree,
    walk_repositories,
)

#: Trusted parts of an index; beyond this many all are read again.
MAX_ENSURED = 100_000

#: Files that are examined before other work gets its turn.
_PER_TURN = 64


@attrs.define(eq=False)
class Reconciler:
    """Ensures the parts of an index, each once.

    Where others change the tree as well the index is neither written nor believed.

    :ivar tagging: a change of a tag holds its lock from the read of the link until the
        index is updated. Where the lock of a digest is held as well, that is taken
        first.
    """

    _driver: IStorageDriver
    index: TreeIndex
    _clock: IReactorTime
    _ensured: set[Hashable] = attrs.field(factory=set)
    _seen: set[RepositoryName] = attrs.field(factory=set)
    tagging: KeyedLocks[tuple[RepositoryName, Tag]] = attrs.field(factory=KeyedLocks)
    _forgotten: int = 0
    _flights: Flights[Hashable, None] = attrs.field(factory=Flights)
    _log = Logger()

    @property
    def is_shared(self) -> bool:
        """Tell whether others change the tree as well."""
        return self._driver.is_shared

    @deferred
    async def repositories(self) -> None:
        """Ensure the catalogue."""
        await self._ensure_by_look(
            "repositories", CATALOGUE, self._look_for_repositories
        )

    @deferred
    async def tags(self, name: RepositoryName) -> None:
        """Ensure the names of a repository's tags."""
        look = partial(self._look_for_tags, name)
        await self._ensure_by_look((name, "tags"), str(name), look)

    @deferred
    async def digests(self, name: RepositoryName) -> None:
        """Ensure what a repository's tags stand for."""
        await self._ensure((name, "digests"), lambda: self._read_tags(name))

    @deferred
    async def referrers(self, name: RepositoryName) -> None:
        """Ensure what a repository's manifests refer to."""
        look = partial(self._look_for_manifests, name)
        await self._ensure_by_look((name, "referrers"), str(name), look)

    def added(self, name: RepositoryName, *written: Fact) -> None:
        """Record that a repository holds something, and further facts."""
        if self.is_shared or (name in self._seen and not written):
            return
        self.index.write(statements.repository_added(name), *written)
        if len(self._seen) >= MAX_ENSURED:
            self._seen.clear()
        self._seen.add(name)

    @deferred
    async def removed(self, name: RepositoryName, *written: Fact) -> None:
        """Record that something is gone, and the repository too if it is now empty.

        Does not fail: what is gone is gone, whatever the storage says afterwards.
        """
        self._seen.discard(name)
        is_there = await self._is_left(name)
        if not is_there and name not in self._seen:  # and nothing was added since
            written += (statements.repository_gone(name),)
            uploads = layout.uploads(name)  # which may have been left empty
            await Links(self._driver).prune(uploads, layout.REPOSITORIES)
        if not self.is_shared:
            self.index.write(*written)

    @deferred
    async def _is_left(self, name: RepositoryName) -> bool:
        try:
            return await self.is_there(name)
        except DriverError as error:
            # The next who asks for the catalogue looks anew.
            self._ensured.discard("repositories")
            self._log.warn("cannot tell if anything is left: {error}", error=str(error))
            return True

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

    def _ensure_by_look(
        self,
        key: Hashable,
        part: str,
        look: Callable[[Look], Awaitable[list[Fact]]],
    ) -> Deferred[None]:
        return self._ensure(key, lambda: self.index.renew(part, look))

    @deferred
    async def _ensure(self, key: Hashable, look: Callable[[], Deferred[None]]) -> None:
        while not self._is_ensured(key):
            await self._flights.join(key, lambda: self._renew(key, look))

    def _is_ensured(self, key: Hashable) -> bool:
        epoch = self.index.epoch
        if self.index.believed != epoch:
            self.index.believed = epoch
            self._forget()
        return key in self._ensured

    @deferred
    async def _renew(self, key: Hashable, look: Callable[[], Deferred[None]]) -> None:
        await self.index.open()
        if self._is_ensured(key):
            return
        forgotten = self._forgotten
        await look()
        if self._is_ensured(key) or forgotten != self._forgotten:
            return  # its base is no longer trusted: ensure it again
        if len(self._ensured) >= MAX_ENSURED:
            kept = self._ensured & {"repositories"}  # the slowest by far
            self._forget()
            self._ensured |= kept
        self._ensured.add(key)

    def _forget(self) -> None:
        """Trust nothing; each part is read again when it is needed."""
        self._ensured.clear()
        self._forgotten += 1

    def tell_unreadable(self, error: DriverError) -> None:
        """Log that an unreadable repository is not in the catalogue."""
        self._log.warn("not in the catalogue: {error}", error=str(error))

    async def _look_for_repositories(self, look: Look) -> list[Fact]:
        found = walk_repositories(self._driver, self.tell_unreadable)
        async for name in Turns(self._clock).over(found):
            await look.see(statements.sort_key(str(name)))
        return statements.repositories_are_seen(look.number)

    async def _look_for_tags(self, name: RepositoryName, look: Look) -> list[Fact]:
        async for tag in Turns(self._clock).over(tags_in_tree(self._driver, name)):
            await look.see(str(tag))
        return statements.tags_are_seen(name, look.number)

    @deferred
    async def _read_tags(self, name: RepositoryName) -> None:
        await self.tags(name)
        links = Links(self._driver)
        unread = await self.index.queries.tags_unread(name, "", _PER_TURN)
        while unread:
            for tag in unread:
                digest = await links.read(layout.tag_current(name, tag))
                if digest is not None:
                    self.index.write(statements.tag_read(name, tag, digest))
            after = str(unread[-1])
            unread = await self.index.queries.tags_unread(name, after, _PER_TURN)

    async def _look_for_manifests(self, name: RepositoryName, look: Look) -> list[Fact]:
        found = revisions_in_tree(self._driver, name)
        async for digest in Turns(self._clock).over(found):
            await look.see(str(digest))
        await self._read_manifests(name, look)
        return statements.manifests_are_seen(name, look.number)

    async def _read_manifests(self, name: RepositoryName, look: Look) -> None:
        after = ""
        while unread := await self._unread_manifests(name, look, after):
            for digest in unread:
                await look.write(*await self._read_manifest(name, digest))
            after = str(unread[-1])

    @deferred
    async def _unread_manifests(
        self, name: RepositoryName, look: Look, after: str
    ) -> list[Digest]:
        await look.flush()
        return await self.index.queries.manifests_unread(
            name, look.number, after, _PER_TURN
        )

    async def _read_manifest(self, name: RepositoryName, digest: Digest) -> list[Fact]:
        manifest = await manifest_in_tree(self._driver, digest)
        return [] if manifest is None else [statements.manifest_added(name, manifest)]
