"""Walk the tree for everything that repositories hold."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import attrs
from twisted.logger import Logger
from zope.interface import implementer

from txregistry.interfaces.driver import (
    DriverError,
    FileStat,
    IStorageDriver,
    PathNotFound,
)
from txregistry.interfaces.expiry import Entry, EntryKey, IInventory, Kind
from txregistry.spec.digest import Digest
from txregistry.spec.errors import RegistryError
from txregistry.spec.reference import RepositoryName, Tag
from txregistry.storage.content.store import Content
from txregistry.storage.tree import layout
from txregistry.storage.tree.shape import is_ours

_LINK = re.compile(
    rf"{layout.REPOSITORIES}/(?P<name>.+?)/"
    r"(?:(?P<kind>_layers|_manifests/revisions)/(?P<algorithm>[^/]+)/(?P<hex>[^/]+)"
    r"|_manifests/tags/(?P<tag>[^/]+)/current)/link"
)
#: Of any kind, signatures and the history of tags included.
_ANY_LINK = re.compile(r"/([0-9a-f]{64,})/link$")
_DATA = re.compile(
    rf"{layout.BLOBS}/(?P<algorithm>[^/]+)/[^/]+/(?P<hex>[0-9a-f]{{64,}})/data"
)
_KINDS = {"_layers": Kind.BLOB, "_manifests/revisions": Kind.MANIFEST}


@implementer(IInventory)
@attrs.define(eq=False)
class Inventory:
    """Walks distribution's tree on a driver."""

    _driver: IStorageDriver
    _content: Content
    _log = Logger()

    async def found(self, under: str = "") -> AsyncIterator[Entry]:
        """Visit every valid link."""
        directory = f"{layout.REPOSITORIES}/{under}".rstrip("/")
        found = self._driver.walk(path=directory, only=is_ours, unreadable=self._tell)
        async for item in found:
            entry = None if item.is_directory else await self._entry(item)
            if entry is not None:
                yield entry

    async def orphans(self, before: float) -> AsyncIterator[Digest]:
        """Visit content without a link, of blob, manifest or signature.

        Fails with a ``DriverError`` if a directory of links cannot be read: its links
        are unknown.
        """
        linked: set[bytes] = set()
        async for item in self._driver.walk(path=layout.REPOSITORIES, only=is_ours):
            if match := _ANY_LINK.search(item.path):
                linked.add(_short(match[1]))
        async for item in self._driver.walk(path=layout.BLOBS, only=is_ours):
            match = _DATA.fullmatch(item.path)
            if match is None or item.modified_at >= before:
                continue
            if _short(match["hex"]) not in linked:
                yield Digest(match["algorithm"], match["hex"])

    async def contents(self) -> AsyncIterator[tuple[str, int]]:
        """Visit all content, in the order of the tree, which is that of digests.

        Fails with a ``DriverError`` if a directory cannot be read.
        """
        async for item in self._driver.walk(path=layout.BLOBS, only=is_ours):
            if match := _DATA.fullmatch(item.path):
                yield f"{match['algorithm']}:{match['hex']}", item.size

    def _tell(self, error: DriverError) -> None:
        self._log.warn("skipped, as it cannot be read: {error}", error=str(error))

    async def _entry(self, item: FileStat) -> Entry | None:
        key = _key(item.path)
        if key is None:
            return None
        size = 0 if key.kind is Kind.TAG else await self._size(key.reference)
        return Entry(key, size, item.modified_at)

    async def _size(self, digest: str) -> int:
        try:
            found = await self._driver.stat(layout.blob_data(Digest.parse(digest)))
        except PathNotFound:
            return 0  # a link without content still expires
        return found.size


def _short(digits: str) -> bytes:
    # Half a digest tells content apart, and a million of them fit into memory.
    return bytes.fromhex(digits[:32])


def _key(path: str) -> EntryKey | None:
    match = _LINK.fullmatch(path)
    if match is None:
        return None
    try:
        name = RepositoryName.parse(match["name"])
        if match["tag"] is not None:
            return EntryKey(name, Kind.TAG, str(Tag.parse(match["tag"])))
        digest = Digest.parse(f"{match['algorithm']}:{match['hex']}")
    except RegistryError:
        return None  # a foreign file
    return EntryKey(name, _KINDS[match["kind"]], str(digest))
