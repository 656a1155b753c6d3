"""The S3 driver: files are objects of a bucket.

The tree is that of Docker's registry, which may use the same bucket. A directory exists
while something is below it. What is written appears when it is committed; what was
closed without commit is an upload in parts, which ``writer`` and ``move`` find, and
``stat`` and ``reader`` where clients upload: elsewhere it would cost a question more
for whatever is not there (see :mod:`txregistry.storagedriver.s3.unfinished`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from txregistry.flow.buffer_budget import BufferBudget
from txregistry.flow.deferred import deferred
from txregistry.flow.disk import Disk
from txregistry.interfaces.driver import (
    Change,
    DriverError,
    FileRequest,
    FileStat,
    IConnected,
    InvalidOffset,
    IObjectKeys,
    IPruner,
    IStorageDriver,
    IURLProvider,
    MoveFile,
    PathNotFound,
    Paths,
    PutFile,
)
from txregistry.interfaces.driverpaths import ROOT, check_directory, check_file
from txregistry.interfaces.files import IFileWriter, IStoredFile
from txregistry.spec.digest import IncrementalHash
from txregistry.storagedriver.s3.download import Source
from txregistry.storagedriver.s3.failures import FAILURES, NAME, as_driver_error
from txregistry.storagedriver.s3.parts import Parts
from txregistry.storagedriver.s3.reader import S3Reader
from txregistry.storagedriver.s3.removal import is_appended
from txregistry.storagedriver.s3.request import Ask, with_body
from txregistry.storagedriver.s3.responses import headers_of, known_length
from txregistry.storagedriver.s3.target import FileTarget
from txregistry.storagedriver.s3.unfinished import Found, Start
from txregistry.storagedriver.s3.writer import S3Writer

#: Seconds for which a URL is good, as in Docker's registry.
URL_SECONDS = 20 * 60


@contextmanager
def _told(path: str) -> Iterator[None]:
    """Raise what the store says as the driver's errors."""
    try:
        yield
    except FAILURES as error:
        raise as_driver_error(path, error) from error


@implementer(IStorageDriver, IPruner, IURLProvider, IObjectKeys, IConnected)
@attrs.define(eq=False)
class S3Driver:
    """Objects of one bucket.

    :param budget: memory for parts that are being written.
    """

    _parts: Parts
    _disk: Disk
    _clock: IReactorTime
    _budget: BufferBudget
    name: str = NAME
    is_shared: bool = True
    _writers: set[S3Writer] = attrs.field(factory=set)

    def connect(self, reactor: Any) -> None:
        """Use the network of a reactor."""
        self._parts.network.connect(reactor)

    def disconnect(self) -> Deferred[None]:
        """Close idle connections."""
        return self._parts.network.disconnect()

    @deferred
    async def get(self, path: str) -> bytes:
        """Read an object whole."""
        key = self._key(path)
        with _told(path):
            answer = await self._parts.client.do(Ask("GET", key))
        content: bytes = answer.body
        return content

    @deferred
    async def put(self, path: str, content: bytes, durable: bool = True) -> None:
        """Replace an object; it is durable when the store says so."""
        headers = self._parts.settings.object_headers
        ask = Ask("PUT", self._key(path), headers=headers)
        with _told(path):
            await self._parts.client.do(with_body(ask, content))

    @deferred
    async def apply(self, changes: Sequence[Change]) -> None:
        """Make several changes, one after the other."""
        for change in changes:
            if isinstance(change, PutFile):
                await self.put(change.path, change.content)
            elif isinstance(change, MoveFile):
                await self.move(change.source, change.destination)
            else:
                await self._remove(change.path)

    @deferred
    async def reader(self, path: str) -> IStoredFile:
        """Open an object; its bytes are on their way then."""
        key = self._key(path)
        with _told(path):
            if is_appended(path):
                await self._settle(key, path)
            response = await self._parts.client.open(Ask("GET", key))
        etag = headers_of(response).get("etag", "")
        source = Source(key, etag, known_length(response))
        return S3Reader(
            self._parts.client, self._clock, self._disk, path, source, response
        )

    @deferred
    async def _settle(self, key: str, path: str) -> None:
        """Make an unfinished file readable."""
        found = await self._look(key, path)
        await self._parts.unfinished.settle(key, found)

    @deferred
    async def _look(self, key: str, path: str) -> Found:
        found: Found = await self._parts.unfinished.look(key, is_appended(path))
        return found

    @deferred
    async def writer(
        self,
        path: str,
        keep_bytes: int = 0,
        hasher: IncrementalHash | None = None,
        read_while_written: bool = True,
    ) -> IFileWriter:
        """Open a file for writing; nobody sees it grow."""
        key = self._key(path)
        with _told(path):
            target = await self._target(key, path, keep_bytes)
        return S3Writer(
            target, path, keep_bytes, self._disk, hasher, self._budget, self._writers
        )

    @deferred
    async def _target(self, key: str, path: str, kept: int) -> FileTarget:
        if not kept:
            return self._target_of(key, Start())
        found = await self._look(key, path)
        if kept < 0 or found.size is None or kept > found.size:
            raise InvalidOffset(self.name, path, f"cannot keep {kept} bytes")
        unfinished = self._parts.unfinished
        if kept < found.size:
            return self._target_of(key, await unfinished.rebuild(key, found, kept))
        start = unfinished.adopt(found)
        if start.takes_more:
            return self._target_of(key, start)
        return self._target_of(key, start, lambda: unfinished.rebuild(key, found, kept))

    def _target_of(
        self, key: str, start: Start, rebuild: Callable[[], Any] | None = None
    ) -> FileTarget:
        parts = self._parts
        headers = parts.settings.object_headers
        return FileTarget(parts.client, parts.multiparts, headers, key, start, rebuild)

    @deferred
    async def stat(self, path: str) -> FileStat:
        """Look at a path."""
        if path == ROOT:
            return FileStat(path, 0, 0.0, is_directory=True)
        key = self._key(path)
        with _told(path):
            found = await self._stat(key, path)
            if found.size is None and await self._is_directory(path):
                return FileStat(path, 0, 0.0, is_directory=True)
        if found.size is None:
            raise PathNotFound(self.name, path)
        return FileStat(path, found.size, found.modified_at, is_directory=False)

    @deferred
    async def _stat(self, key: str, path: str) -> Found:
        if is_appended(path):
            return await self._look(key, path)
        return Found(await self._parts.unfinished.object(key), None)

    @deferred
    async def _is_directory(self, path: str) -> bool:
        first = await self._parts.listing.first(self._parts.keys.prefix(path))
        return first is not None

    @deferred
    async def list(self, path: str) -> Paths:
        """List what is in a directory."""
        return sorted([item async for item in self.scan(path)])

    async def scan(self, path: str) -> AsyncIterator[str]:
        """Visit what is in a directory, a page at a time."""
        check_directory(self.name, path)
        is_there = path == ROOT
        with _told(path):
            async for item in self._parts.listing.children(path):
                is_there = True
                yield item.path
        if not is_there and not await self._is_odd(path):
            raise PathNotFound(self.name, path)

    @deferred
    async def _is_odd(self, path: str) -> bool:
        """Tell if there is something in a directory that has no name for us."""
        with _told(path):
            return await self._is_directory(path)

    @deferred
    async def move(self, source: str, destination: str) -> None:
        """Copy an object within the store, then delete it."""
        key, target = self._key(source), self._key(destination)
        with _told(source):
            found = await self._look(key, source)
            if found.size is None:
                raise PathNotFound(self.name, source)
            await self._parts.unfinished.settle(key, found)
            if key != target:
                await self._parts.copies.copy(key, target, found.size)
                await self._parts.removal.file(key)

    @deferred
    async def delete(self, path: str, durable: bool = True) -> None:
        """Delete a file, or a directory with all below it."""
        self._key(path)
        with _told(path):
            found = await self._parts.removal.tree(path)
        if not found:
            raise PathNotFound(self.name, path)

    @deferred
    async def _remove(self, path: str) -> None:
        try:
            await self.delete(path)
        except PathNotFound:
            return

    async def walk(
        self,
        path: str,
        only: Callable[[str], bool] | None = None,
        unreadable: Callable[[DriverError], None] | None = None,
    ) -> AsyncIterator[FileStat]:
        """Visit all below a path; where a page cannot be had, the walk ends."""
        check_directory(self.name, path)
        try:
            with _told(path):
                async for item in self._parts.listing.walk(path, only):
                    yield item
        except PathNotFound:
            return
        except DriverError as error:
            if unreadable is None:
                raise
            unreadable(error)

    @deferred
    async def sweep(self, path: str, before: float) -> int:
        """Give up abandoned uploads in parts; see :class:`IPruner`."""
        with _told(path):
            count: int = await self._parts.removal.abandoned(path, before)
        return count

    def prune(self, path: str, stop: str) -> Deferred[None]:
        """Do nothing: an empty directory is none."""
        return succeed(None)

    @deferred
    async def url(self, path: str, request: FileRequest) -> str | None:
        """Fire with a signed URL, good for twenty minutes and one method."""
        key = self._key(path)
        with _told(path):
            signed: str = await self._parts.signed_url(key, request.method, URL_SECONDS)
        return signed

    def key(self, path: str) -> str:
        """Give the key of a file's object, below the root directory."""
        return self._key(path)

    def _key(self, path: str) -> str:
        return self._parts.keys.key(check_file(self.name, path))
