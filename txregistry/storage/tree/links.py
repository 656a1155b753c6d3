"""Link files: small files that hold a digest and so grant access to content."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence

import attrs
from twisted.logger import Logger

from txregistry.flow.deferred import deferred
from txregistry.interfaces.driver import (
    Change,
    DriverError,
    IPruner,
    IStorageDriver,
    PathNotFound,
    PutFile,
)
from txregistry.spec.digest import Digest
from txregistry.spec.errors import DigestInvalid


@attrs.define(eq=False)
class Links:
    """Reads and writes link files. An empty or broken one counts as missing."""

    _driver: IStorageDriver
    _log = Logger()

    @deferred
    async def read(self, path: str) -> Digest | None:
        """Fire with what a link names, or ``None`` if it is missing or broken."""
        try:
            content = await self._driver.get(path)
        except PathNotFound:
            return None
        try:
            return Digest.parse(content.decode("ascii", "replace"))
        except DigestInvalid:
            return None

    @deferred
    async def change(self, path: str, digest: Digest) -> list[Change]:
        """Fire with the changes that make a link; none if it is there already."""
        if await self.read(path) == digest:
            return []
        return [PutFile(path, str(digest).encode("ascii"))]

    @deferred
    async def write(self, path: str, digest: Digest) -> None:
        """Make a link, durably; an identical one is left alone."""
        await self.apply(await self.change(path, digest))

    @deferred
    async def apply(self, changes: Sequence[Change]) -> None:
        """Make the changes that :meth:`change` gave, durably."""
        if changes:
            await self._driver.apply(changes=changes)

    @deferred
    async def remove(self, path: str, stop: str, durable: bool = True) -> bool:
        """Remove a link, or a directory of links, and directories left empty.

        :param stop: an ancestor directory that stays.
        :return: fires with whether it was there. Fails with a ``DriverError`` only if
            the link may still be there: an empty directory that stays is logged.
        """
        try:
            await self._driver.delete(path=path, durable=durable)
        except PathNotFound:
            return False
        await self.prune(posixpath.dirname(path), stop)
        return True

    @deferred
    async def prune(self, path: str, stop: str) -> None:
        """Remove a directory if it is empty, then its parent; logs what fails.

        :param stop: an ancestor directory that stays.
        """
        if not IPruner.providedBy(self._driver):
            return
        try:
            await IPruner(self._driver).prune(path=path, stop=stop)
        except DriverError as error:
            self._log.warn("an empty directory stays: {error}", error=str(error))
