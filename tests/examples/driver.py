"""A storage driver in one module: files in a dictionary."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from itertools import count
from typing import Any

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IConsumer, IReactorTime
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


def make(
    parameters: Mapping[str, object], disk: Disk, clock: IReactorTime
) -> IStorageDriver:
    """Make the driver; an entry point of ``txregistry.storage_drivers`` names this.

    :param disk: where blocking calls belong, as in ``await disk.run(os.stat, path)``;
        a dictionary has none.
    """
    return DictDriver(clock)


@attrs.define(eq=False)
class File:
    """Content that readers share, so that it stays readable when it is deleted."""

    content: bytearray
    modified_at: float
    number: int = attrs.field(factory=count().__next__)

    @property
    def identity(self) -> str:
        """Another one after each replacement (number) and each write (length)."""
        return f"{self.number}-{len(self.content)}"


@implementer(IStoredFile)
@attrs.frozen(eq=False)
class Reader:
    """An open file."""

    _file: File
    size: int
    identity: str

    def read(
        self, consumer: IConsumer, offset: int = 0, size: int | None = None
    ) -> Deferred[None]:
        """Push bytes; ``ChunkProducer`` honours pauses, and tells a short file."""
        remaining = max(0, self.size - offset) if size is None else size
        return ChunkProducer(self._chunk, consumer, offset, remaining).start()

    def _chunk(self, offset: int, size: int) -> Deferred[bytes]:
        return succeed(bytes(self._file.content[offset : offset + size]))

    @deferred
    async def hash(self, hasher: IncrementalHash, size: int) -> None:
        """Hash the first bytes."""
        hasher.update(bytes(self._file.content[:size]))
        if len(self._file.content) < size:
            raise ShortRead(f"{size - len(self._file.content)} bytes are missing")

    def close(self) -> None:
        """Nothing is held open."""


@implementer(IFileWriter)
@attrs.define(eq=False)
class Writer:
    """A file being written. It never pauses its producer, as it never waits."""

    _driver: DictDriver
    _path: str
    _file: File
    _hasher: IncrementalHash | None
    _is_open: bool = True
    _pulled: Any = None

    @property
    def size(self) -> int:
        """What a reader can see."""
        return len(self._file.content)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Take a producer; one that does not stream is asked after each write."""
        self._pulled = None if streaming else producer
        self._pull()

    def unregisterProducer(self) -> None:
        """Let it go."""
        self._pulled = None

    def _pull(self) -> None:
        if self._pulled is not None:
            self._pulled.resumeProducing()

    def write(self, data: bytes) -> None:
        """Take bytes; after the end they are dropped."""
        if self._is_open:
            self._file.content += data
            self._file.modified_at = self._driver.now()
            if self._hasher is not None:
                self._hasher.update(data)
            self._pull()

    def flush(self, durable: bool = False) -> Deferred[None]:
        """Every byte can be read already; none is durable in a dictionary."""
        return succeed(None)

    def commit(self) -> Deferred[None]:
        """End with the file in its place."""
        return self.close()

    def close(self) -> Deferred[None]:
        """End, with the file to be appended to."""
        self._is_open = False
        return succeed(None)

    @deferred
    async def cancel(self) -> None:
        """End without the file."""
        if self._is_open:
            self._is_open = False
            self._driver.forget(self._path)


@implementer(IStorageDriver, IGrowingFiles)
@attrs.define(eq=False)
class DictDriver:
    """A directory is there while there is a path below it."""

    _clock: IReactorTime
    name: str = "dict"
    is_shared: bool = False
    _files: dict[str, File] = attrs.field(factory=dict)

    @deferred
    async def get(self, path: str) -> bytes:
        """Give a file's content."""
        return bytes(self._find(path).content)

    @deferred
    async def put(self, path: str, content: bytes, durable: bool = True) -> None:
        """Replace a file."""
        self._files[self._place(path)] = File(bytearray(content), self.now())

    @deferred
    async def apply(self, changes: Sequence[Change]) -> None:
        """Make changes in order; a driver that syncs would do so once for all."""
        for change in changes:
            if isinstance(change, PutFile):
                await self.put(change.path, change.content)
            elif isinstance(change, MoveFile):
                await self.move(change.source, change.destination)
            else:
                self.forget(change.path)

    @deferred
    async def reader(self, path: str) -> IStoredFile:
        """Open a file."""
        file = self._find(path)
        return Reader(file, len(file.content), file.identity)

    @deferred
    async def writer(
        self,
        path: str,
        keep_bytes: int = 0,
        hasher: IncrementalHash | None = None,
        read_while_written: bool = True,
    ) -> IFileWriter:
        """Open a file for writing, with the beginning that is kept."""
        place = self._place(path)
        file = self._files.setdefault(place, File(bytearray(), self.now()))
        if not 0 <= keep_bytes <= len(file.content):
            raise InvalidOffset(self.name, path, f"cannot keep {keep_bytes} bytes")
        del file.content[keep_bytes:]
        return Writer(self, path, file, hasher)

    @deferred
    async def stat(self, path: str) -> FileStat:
        """Look at a path."""
        file = self._files.get(check_directory(self.name, path))
        if file is not None:
            size, at = len(file.content), file.modified_at
            return FileStat(path, size, at, False, file.identity)
        if path != ROOT and not self._below(path):
            raise PathNotFound(self.name, path)
        return FileStat(path, 0, 0.0, is_directory=True)

    @deferred
    async def list(self, path: str) -> Paths:
        """Give the children."""
        return self._children(path)

    async def scan(self, path: str) -> AsyncIterator[str]:
        """Visit the children, of one moment."""
        for found in self._children(path):
            yield found

    @deferred
    async def move(self, source: str, destination: str) -> None:
        """Move a file over what is there."""
        place, file = self._place(destination), self._find(source)
        del self._files[source]
        self._files[place] = file

    @deferred
    async def delete(self, path: str, durable: bool = True) -> None:
        """Delete a file or a tree."""
        if not self.forget(check_file(self.name, path)):
            raise PathNotFound(self.name, path)

    async def walk(
        self,
        path: str,
        only: Callable[[str], bool] | None = None,
        unreadable: Callable[[DriverError], None] | None = None,
    ) -> AsyncIterator[FileStat]:
        """Visit all below a path, parents first."""
        try:
            children = self._children(path)
        except PathNotFound:
            return
        for child in children:
            if only is not None and not only(child):
                continue
            try:
                found = await self.stat(child)
            except PathNotFound:
                continue  # it has gone since it was listed
            yield found
            async for below in self.walk(child, only, unreadable):
                yield below

    def forget(self, path: str) -> bool:
        """Drop a file and all below; tell whether anything was there."""
        doomed = [found for found in (path, *self._below(path)) if found in self._files]
        for found in doomed:
            del self._files[found]
        return bool(doomed)

    def now(self) -> float:
        """Give the time, in seconds since the epoch."""
        return self._clock.seconds()

    def _find(self, path: str) -> File:
        file = self._files.get(check_file(self.name, path))
        if file is None:
            raise PathNotFound(self.name, path)
        return file

    def _place(self, path: str) -> str:
        """Give a path that a file can have: below no file, and no directory."""
        parts = check_file(self.name, path).split("/")
        above = {"/".join(parts[:depth]) for depth in range(2, len(parts))}
        if above & self._files.keys() or self._below(path):
            raise DriverError(self.name, path, "a file and a directory")
        return path

    def _below(self, path: str) -> Paths:
        prefix = path.rstrip("/") + "/"
        return [found for found in self._files if found.startswith(prefix)]

    def _children(self, path: str) -> Paths:
        below = self._below(check_directory(self.name, path))
        if not below and path != ROOT:
            raise PathNotFound(self.name, path)
        end = len(path.rstrip("/").split("/")) + 1
        children = {"/".join(found.split("/")[:end]) for found in below}
        return sorted(child for child in children if not is_temporary(child))
