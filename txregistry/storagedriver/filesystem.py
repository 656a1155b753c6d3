"""The filesystem driver: files below a root directory.

Every small write is a temporary file in the same directory, fsync, rename, fsync of
the directory; nothing is rewritten in place.
"""

from __future__ import annotations

import os
import shutil
import stat as modes
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

import attrs
from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed
from twisted.python.failure import Failure
from zope.interface import implementer

from txregistry.flow.disk import Disk
from txregistry.interfaces.driver import (
    DriverError,
    FileStat,
    InvalidOffset,
    IPruner,
    IStorageDriver,
    PathNotFound,
    Paths,
)
from txregistry.interfaces.files import IFileReader, IFileWriter
from txregistry.spec.digest import IncrementalHash
from txregistry.storagedriver.files import FileReader, FileWriter
from txregistry.storagedriver.paths import (
    ROOT,
    check_directory,
    check_file,
    child,
    is_temporary,
)

T = TypeVar("T")

#: Files up to this size are read at once: link files and nearly all manifests.
_SMALL_BYTES = 64 * 1024

#: How often a directory may be pruned between our making and using it.
_PRUNE_RACES = 3


@implementer(IStorageDriver, IPruner)
@attrs.define(eq=False)
class FilesystemDriver:
    """Files below ``root``; blocking work is done on ``disk``.

    A file that is read whole and is small is read in the reactor thread, as is a
    ``stat``; all else goes to the pool.
    """

    _root: str
    _disk: Disk
    name: str = "filesystem"

    def get(self, path: str) -> Deferred[bytes]:
        """Read a small file whole."""
        return self._here(path, self._get, self._file(path))

    def put(self, path: str, content: bytes, durable: bool = True) -> Deferred[None]:
        """Replace a file atomically."""
        return self._there(path, _put, self._file, content, durable)

    def reader(self, path: str) -> Deferred[IFileReader]:
        """Open a file for reading."""
        return self._here(path, self._open_reader, self._file(path))

    def writer(
        self, path: str, keep_bytes: int = 0, hasher: IncrementalHash | None = None
    ) -> Deferred[IFileWriter]:
        """Open a file for writing."""
        return self._there(
            path, self._open_writer, self._file, path, keep_bytes, hasher
        )

    def stat(self, path: str) -> Deferred[FileStat]:
        """Look at a path."""
        return self._here(path, _stat, self._directory(path), path)

    def list(self, path: str) -> Deferred[Paths]:
        """List the children of a directory."""
        return self._there(path, _list, self._directory, path)

    def move(self, source: str, destination: str) -> Deferred[None]:
        """Move a file."""
        try:
            target = self._file(destination)()
        except DriverError:
            return fail(Failure())
        return self._there(source, _move, self._file, target)

    def delete(self, path: str, durable: bool = True) -> Deferred[None]:
        """Delete a file or a tree."""
        return self._there(path, _delete, self._file, durable)

    def prune(self, path: str, stop: str) -> Deferred[None]:
        """Remove empty directories upward."""
        return self._there(path, _prune, self._file, self._root + stop)

    async def walk(self, path: str) -> AsyncIterator[FileStat]:
        """Visit all below a path, one directory at a time."""
        try:
            found: list[FileStat] = await self._there(
                path, _scan, self._directory, path
            )
        except PathNotFound:
            return
        for item in found:
            yield item
            if item.is_directory:
                async for below in self.walk(item.path):
                    yield below

    def _file(self, path: str) -> Callable[[], str]:
        return lambda: self._root + check_file(self.name, path)

    def _directory(self, path: str) -> Callable[[], str]:
        return lambda: (self._root + check_directory(self.name, path)).rstrip("/")

    def _here(
        self,
        path: str,
        work: Callable[..., T | Deferred[T]],
        locate: Callable[[], str],
        *args: Any,
    ) -> Deferred[T]:
        try:
            result = work(locate(), *args)
        except OSError as error:
            return fail(self._translate(path, error))
        except DriverError as error:
            return fail(error)
        if isinstance(result, Deferred):
            return result.addErrback(self._translate_failure, path)
        return succeed(result)

    def _there(
        self,
        path: str,
        work: Callable[..., T],
        locate: Callable[[str], Callable[[], str]],
        *args: Any,
    ) -> Deferred[T]:
        done: Deferred[T] = maybeDeferred(
            lambda: self._disk.run(work, locate(path)(), *args)
        )
        return done.addErrback(self._translate_failure, path)

    def _translate_failure(self, failure: Failure, path: str) -> Failure:
        if isinstance(failure.value, OSError):
            return Failure(self._translate(path, failure.value))
        return failure

    def _translate(self, path: str, error: OSError) -> DriverError:
        if isinstance(error, FileNotFoundError):
            return PathNotFound(self.name, path)
        if isinstance(error, NotADirectoryError | IsADirectoryError):
            # A file in the middle of a path, or a directory read as a file.
            return PathNotFound(self.name, path, error.strerror or "")
        return DriverError(self.name, path, error.strerror or str(error))

    def _get(self, path: str) -> bytes | Deferred[bytes]:
        with open(path, "rb", buffering=0) as file:
            if os.fstat(file.fileno()).st_size <= _SMALL_BYTES:
                return file.read()
        return self._disk.run(_read_whole, path)

    def _open_reader(self, path: str) -> IFileReader:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        found = os.fstat(descriptor)
        if modes.S_ISDIR(found.st_mode):
            os.close(descriptor)
            raise IsADirectoryError(21, "is a directory")
        return FileReader(self._disk, descriptor, found.st_size)

    def _open_writer(
        self, real: str, path: str, keep_bytes: int, hasher: IncrementalHash | None
    ) -> IFileWriter:
        how = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        # The data will be moved to its place: only there it has to be found again.
        descriptor = _in_directory(real, lambda: os.open(real, how, 0o666), False)
        if not 0 <= keep_bytes <= os.fstat(descriptor).st_size:
            os.close(descriptor)
            raise InvalidOffset(self.name, path, f"cannot keep {keep_bytes} bytes")
        os.ftruncate(descriptor, keep_bytes)
        return FileWriter(self._disk, real, descriptor, keep_bytes, hasher)


def _read_whole(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _put(path: str, content: bytes, durable: bool) -> None:
    temporary = f"{path}.{uuid.uuid4()}.tmp"
    try:
        with _in_directory(path, lambda: open(temporary, "xb", 0), durable) as file:
            file.write(content)
            if durable:
                os.fsync(file.fileno())
        os.rename(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise
    if durable:
        _sync_directory(os.path.dirname(path))


def _in_directory(path: str, work: Callable[[], T], durable: bool = True) -> T:
    """Do something in the directory of a path, which is made if need be."""
    for _ in range(_PRUNE_RACES):
        _make_directory(os.path.dirname(path), durable)
        try:
            return work()
        except FileNotFoundError:
            continue  # pruned since it was made
    return work()


def _make_directory(path: str, durable: bool) -> None:
    """Make a directory and its parents, each entry durable if asked."""
    if os.path.isdir(path):
        return
    _make_directory(os.path.dirname(path), durable)
    try:
        os.mkdir(path)
    except FileExistsError:
        return  # somebody else was faster
    if durable:
        _sync_directory(os.path.dirname(path))


def _sync_directory(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _stat(real: str, path: str) -> FileStat:
    if path == ROOT and not os.path.exists(real):
        return FileStat(path, 0, 0.0, is_directory=True)
    found = os.stat(real or ROOT)
    is_directory = modes.S_ISDIR(found.st_mode)
    size = 0 if is_directory else found.st_size
    return FileStat(path, size, found.st_mtime, is_directory)


def _list(real: str, path: str) -> list[str]:
    if path == ROOT and not os.path.exists(real):
        return []  # the root is made by the first write
    names = os.listdir(real or ROOT)
    return [child(path, name) for name in sorted(names) if not is_temporary(name)]


def _scan(real: str, path: str) -> list[FileStat]:
    found = []
    for item in _list(real, path):
        try:
            found.append(_stat(child(real, os.path.basename(item)), item))
        except FileNotFoundError:
            continue  # gone since it was listed
    return found


def _move(source: str, destination: str) -> None:
    if os.path.isdir(source):
        raise IsADirectoryError(21, "is a directory")
    if not os.path.exists(source):
        raise FileNotFoundError(2, "nothing to move")
    _in_directory(destination, lambda: os.replace(source, destination))
    _sync_directory(os.path.dirname(destination))


def _prune(path: str, stop: str) -> None:
    while path != stop and path.startswith(stop):
        try:
            os.rmdir(path)
        except FileNotFoundError:
            pass  # the parent may be empty all the same
        except OSError:
            return  # something is in it
        path = os.path.dirname(path)


def _delete(path: str, durable: bool) -> None:
    if os.path.isdir(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)
    if durable:
        _sync_directory(os.path.dirname(path))
