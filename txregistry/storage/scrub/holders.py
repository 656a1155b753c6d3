"""Which repositories link some content."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable

import attrs
from twisted.internet.defer import Deferred

from txregistry.flow.deferred import deferred
from txregistry.interfaces.driver import DriverError, IStorageDriver
from txregistry.interfaces.expiry import Kind, LedgerAway
from txregistry.interfaces.scrub import Holder
from txregistry.spec.digest import Digest
from txregistry.spec.errors import RegistryError
from txregistry.spec.reference import RepositoryName
from txregistry.storage.tree import layout

#: Repositories that are looked into.
MAX_CANDIDATES = 256

#: Gives repositories that may link some content.
Candidates = Callable[[Digest], Deferred[Iterable[RepositoryName]]]


@attrs.define(eq=False)
class Holders:
    """Looks for the links to content in some repositories."""

    _driver: IStorageDriver
    _candidates: Candidates

    @deferred
    async def find(self, digest: Digest) -> list[Holder]:
        """Fire with repositories that link content; never fails."""
        try:
            names = sorted(await self._candidates(digest))[:MAX_CANDIDATES]
            return [holder for name in names for holder in await self._of(name, digest)]
        except (DriverError, RegistryError, LedgerAway, sqlite3.Error):
            return []  # the content is damaged whoever links it

    @deferred
    async def _of(self, name: RepositoryName, digest: Digest) -> list[Holder]:
        links = {
            Kind.BLOB: layout.layer_link(name, digest),
            Kind.MANIFEST: layout.revision_link(name, digest),
        }
        return [
            Holder(name, kind) for kind, path in links.items() if await self._is(path)
        ]

    @deferred
    async def _is(self, path: str) -> bool:
        try:
            await self._driver.stat(path=path)
        except DriverError:
            return False
        return True
