"""Where partial blobs lie, and how a whole one gets from there to its place.

Note [Local spool]. A fill writes a file that its clients read while it grows. A driver
whose files are not there before they are complete, as on an object store, cannot have
it; nor can storage that others use, who fill the same blob. Then it lies in a local
directory, and is copied when its digest was verified. Clients read the local file until
it is stored. If it cannot be stored now it stays, with the state of a whole one: the
next fill of this blob downloads nothing, and stores it.
"""

from __future__ import annotations

import uuid

import attrs
from twisted.internet.defer import Deferred

from txregistry.flow.deferred import deferred
from txregistry.interfaces.driver import IGrowingFiles, IStorageDriver
from txregistry.interfaces.files import IFileWriter, IStoredFile
from txregistry.spec.digest import Digest
from txregistry.storage.content.store import Content
from txregistry.storage.tree import layout


def needs_spool(driver: IStorageDriver) -> bool:
    """Tell whether partial blobs lie elsewhere; see Note [Local spool]."""
    return driver.is_shared or not IGrowingFiles.providedBy(driver)


@attrs.frozen
class Arrivals:
    """Partial blobs in the storage itself: a whole one is moved.

    :ivar files: has the partial blobs.
    :ivar is_apart: a whole one is not moved, but copied, and may lie for longer.
    """

    files: IStorageDriver
    is_apart: bool = attrs.field(default=False, init=False)

    def store(self, digest: Digest) -> Deferred[None]:
        """Bring a whole blob to its place; fails with ``DriverError``.

        The caller holds the lock of the digest.
        """
        source, place = layout.fill_data(digest), layout.blob_data(digest)
        return self.files.move(source=source, destination=place)


@attrs.frozen
class SpooledArrivals(Arrivals):
    """Partial blobs in a local directory; see Note [Local spool].

    :param driver: of the storage.
    """

    _driver: IStorageDriver
    _content: Content
    is_apart: bool = attrs.field(default=True, init=False)

    @deferred
    async def store(self, digest: Digest) -> None:
        """Copy a whole blob to its place, unless another process has stored it."""
        if await self._content.verify(digest):
            return
        place = layout.blob_data(digest)
        if not IGrowingFiles.providedBy(self._driver):
            await self._copy(digest, place)
            return
        # Nobody may see a part of it. What a crash leaves is swept.
        aside = f"{place}.{uuid.uuid4()}.tmp"
        await self._copy(digest, aside)
        await self._driver.move(source=aside, destination=place)

    @deferred
    async def _copy(self, digest: Digest, path: str) -> None:
        file: IStoredFile = await self.files.reader(layout.fill_data(digest))
        try:
            writer = await self._driver.writer(path, read_while_written=False)
            await self._write(file, writer)
        finally:
            file.close()

    @deferred
    async def _write(self, file: IStoredFile, writer: IFileWriter) -> None:
        try:
            await file.read(consumer=writer)
            await writer.commit()
        except BaseException:
            # Its failure would hide the reason.
            await writer.cancel().addErrback(lambda _: None)
            raise
