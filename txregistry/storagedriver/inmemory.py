"""The inmemory driver: for tests and trials; its files are lost at exit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from itertools import count
from typing import cast

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import (
    IConsumer,
    IProducer,
    IPullProducer,
    IReactorTime,
)
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.flow.disk import Disk
from txregistry.flow.streams import ChunkProducer, ShortRead
from txregistry.interfaces.driver import (
    Change,
    DriverError,
    FileStat,
    IGrowingFiles,
    InvalidOffset,
    IStorageDriver,
    MoveFile,
    PathNotFound,
    Paths,
    PutFile,
)
from txregistry.interfaces.driverpaths import (
    ROOT,
    check_directory,
    check_file,
    is_temporary,
)
from txregistry.interfaces.files import IFileWriter, IStoredFile
from txregistry.spec.digest import IncrementalHash


@attrs.define(eq=False)
class _File:
    content: bytearray
    modified_at: float
    number: int = attrs.field(factory=count().__next__)

    @property
    def identity(self) -> str:
        """Give an identity that a replacement changes; the length shows an append."""
        return f"{self.number}-{len(self.content)}"


@implementer(IStoredFile)
@attrs.define(eq=False)
class MemoryReader:
    """Reads a file, also after it was deleted or while it grows."""

    _file: _File
    size: int
    identity: str

    def read(
        self, consumer: IConsumer, offset: int = 0, size: int | None = None
    ) -> Deferred[None]:
        """Push bytes into a consumer."""
        remaining = max(0, self.size - offset) if size is None else size
        return ChunkProducer(self._chunk, consumer, offset, remaining).start()

    @deferred
    async def hash(self, hasher: IncrementalHash, size: int) -> None:
        """Feed the first bytes to a hash."""
        hasher.update(bytes(self._file.content[:size]))
        if len(self._file.content) < size:
            raise ShortRead(f"{size - len(self._file.content)} bytes are missing")

    def close(self) -> None:
        """Do nothing: there is nothing to release."""

    def _chunk(self, offset: int, size: int) -> Deferred[bytes]:
        return succeed(bytes(self._file.content[offset : offset + size]))


@implementer(IFileWriter)
@attrs.define(eq=False)
class MemoryWriter:
    """Appends to a file; never has to make its producer wait."""

    _driver: MemoryDriver
    _path: str
    _file: _File
    _hasher: IncrementalHash | None
    _open: bool = True
    _producer: IPullProducer | None = None

    @property
    def size(self) -> int:
        """Count the bytes that a reader can see."""
        return len(self._file.content)

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """Take a producer; a pull producer is resumed after each write."""
        self._producer = None if streaming else cast(IPullProducer, producer)
        if self._producer is not None:
            self._producer.resumeProducing()

    def unregisterProducer(self) -> None:
        """Let the producer go."""
        self._producer = None

    def write(self, data: bytes) -> None:
        """Take in bytes; after a close they are dropped."""
        if not self._open:
            return
        self._file.content += data
        self._file.modified_at = self._driver.now()
        if self._hasher is not None:
            self._hasher.update(data)
        if self._producer is not None:
            self._producer.resumeProducing()

    def flush(self, durable: bool = False) -> Deferred[None]:
        """Fire at once: nothing waits, and nothing is durable here."""
        return succeed(None)

    def commit(self) -> Deferred[None]:
        """Write no more."""
        return self.close()

    def close(self) -> Deferred[None]:
        """Write no more; the file stays."""
        self._open = False
        return succeed(None)

    @deferred
    async def cancel(self) -> None:
        """Delete the file."""
        if self._open:
            self._open = False
            try:
                await self._driver.delete(self._path)
            except PathNotFound:
                return


@implementer(IStorageDriver, IGrowingFiles)
@attrs.define(eq=False)
class MemoryDriver:
    """Files in a dictionary; a directory exists while something is below it."""

    _clock: IReactorTime
    name: str = "inmemory"
    is_shared: bool = False
    _files: dict[str, _File] = attrs.field(factory=dict)

    @deferred
    async def get(self, path: str) -> bytes:
        """Give a file's content."""
        return bytes(self._find(path).content)

    @deferred
    async def put(self, path: str, content: bytes, durable: bool = True) -> None:
        """Replace a file."""
        self._files[self._new(path)] = _File(bytearray(content), self.now())

    @deferred
    async def apply(self, changes: Sequence[Change]) -> None:
        """Make several changes."""
        for change in changes:
            if isinstance(change, PutFile):
                await self.put(change.path, change.content)
            elif isinstance(change, MoveFile):
                await self.move(change.source, change.destination)
            else:
                await self._remove(change.path)

    @deferred
    async def _remove(self, path: str) -> None:
        try:
            await self.delete(path)
        except PathNotFound:
            return

    @deferred
    async def reader(self, path: str) -> IStoredFile:
        """Open a file for reading."""
        file = self._find(path)
        return MemoryReader(file, len(file.content), file.identity)

    @deferred
    async def writer(
        self,
        path: str,
        keep_bytes: int = 0,
        hasher: IncrementalHash | None = None,
        read_while_written: bool = True,
    ) -> IFileWriter:
        """Open a file for writing."""
        key = self._new(path)
        file = self._files.setdefault(key, _File(bytearray(), self.now()))
        if not 0 <= keep_bytes <= len(file.content):
            raise InvalidOffset(self.name, path, f"cannot keep {keep_bytes} bytes")
        del file.content[keep_bytes:]
        return MemoryWriter(self, path, file, hasher)

    @deferred
    async def stat(self, path: str) -> FileStat:
        """Look at a path."""
        if path == ROOT:
            return FileStat(path, 0, 0.0, is_directory=True)
        file = self._files.get(check_file(self.name, path))
        if file is not None:
            size, at = len(file.content), file.modified_at
            return FileStat(path, size, at, False, file.identity)
        if not self._below(path):
            raise PathNotFound(self.name, path)
        return FileStat(path, 0, 0.0, is_directory=True)

    @deferred
    async def list(self, path: str) -> Paths:
        """List the children of a directory."""
        return self._children(path)

    async def scan(self, path: str) -> AsyncIterator[str]:
        """Visit the children of a directory."""
        for found in await self.list(path):
            yield found

    @deferred
    async def move(self, source: str, destination: str) -> None:
        """Move a file."""
        target = self._new(destination)
        file = self._find(source)
        del self._files[source]
        self._files[target] = file

    @deferred
    async def delete(self, path: str, durable: bool = True) -> None:
        """Delete a file or a tree."""
        doomed = self._below(check_file(self.name, path))
        if path in self._files:
            doomed.append(path)
        if not doomed:
            raise PathNotFound(self.name, path)
        for found in doomed:
            del self._files[found]

    async def walk(
        self,
        path: str,
        only: Callable[[str], bool] | None = None,
        unreadable: Callable[[DriverError], None] | None = None,
    ) -> AsyncIterator[FileStat]:
        """Visit all below a path; every directory can be read."""
        try:
            children = self._children(path)
        except PathNotFound:
            return
        for item in children:
            if only is not None and not only(item):
                continue
            try:
                found = await self.stat(item)
            except PathNotFound:
                continue  # deleted since it was listed
            yield found
            if found.is_directory:
                async for below in self.walk(item, only):
                    yield below

    def paths(self) -> Paths:
        """Give the paths of all files, to check for leftovers."""
        return sorted(self._files)

    def now(self) -> float:
        """Give the time for a change, in seconds since the epoch."""
        return self._clock.seconds()

    def _find(self, path: str) -> _File:
        file = self._files.get(check_file(self.name, path))
        if file is None:
            raise PathNotFound(self.name, path)
        return file

    def _new(self, path: str) -> str:
        parts = check_file(self.name, path).split("/")
        for depth in range(2, len(parts)):
            if "/".join(parts[:depth]) in self._files:
                raise DriverError(self.name, path, "below a file")
        if self._below(path):
            raise DriverError(self.name, path, "is a directory")
        return path

    def _below(self, path: str) -> Paths:
        prefix = path.rstrip("/") + "/"
        return [found for found in self._files if found.startswith(prefix)]

    def _children(self, path: str) -> Paths:
        check_directory(self.name, path)
        below = self._below(path)
        if not below and path != ROOT:
            raise PathNotFound(self.name, path)
        depth = len(path.rstrip("/").split("/")) + 1
        children = {"/".join(found.split("/")[:depth]) for found in below}
        return sorted(child for child in children if not is_temporary(child))


def inmemory(
    parameters: Mapping[str, object], disk: Disk, clock: IReactorTime
) -> IStorageDriver:
    """Make the inmemory driver, which has no parameters."""
    return MemoryDriver(clock)
