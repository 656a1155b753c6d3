"""The filesystem driver: files below a root directory.

Every small write is a temporary file in the same directory and a rename, made durable
by a journal or, without one, by fsync of both; nothing is rewritten in place.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TypeVar

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from txregistry.flow.deferred import deferred, kept_open
from txregistry.flow.disk import Disk
from txregistry.interfaces.driver import (
    Change,
    DiskSpace,
    DriverError,
    FileStat,
    IDiskSpace,
    IGrowingFiles,
    IJournaled,
    IPruner,
    IStorageDriver,
    IUncached,
    MoveFile,
    Paths,
    PutFile,
)
from txregistry.interfaces.driverpaths import (
    ROOT,
    check_file,
    child,
)
from txregistry.interfaces.files import IFileWriter, IStoredFile, IUncachedFile
from txregistry.spec.digest import IncrementalHash
from txregistry.speed.failures import failed
from txregistry.storagedriver.filesystem.atomic import (
    apply_changes,
    delete,
    located,
    paths_of,
    prune,
    put_quickly,
    read_whole,
)
from txregistry.storagedriver.filesystem.group_commit import Commits
from txregistry.storagedriver.filesystem.journal.journal import Journal, NoRoom, boot_id
from txregistry.storagedriver.filesystem.journal.records import (
    Delete,
    JournalUnreadable,
)
from txregistry.storagedriver.filesystem.path_work import PathWork
from txregistry.storagedriver.filesystem.reader import open_reader, read_small
from txregistry.storagedriver.filesystem.scandir import pack, unpacked
from txregistry.storagedriver.filesystem.stat import (
    Only,
    list_directory,
    space_of,
    stat_path,
)
from txregistry.storagedriver.filesystem.sweep import Directory, sweep_some
from txregistry.storagedriver.filesystem.uncached import open_uncached
from txregistry.storagedriver.filesystem.walking import walk_below
from txregistry.storagedriver.filesystem.writer import FileWriter, open_writer

T = TypeVar("T")


@implementer(IStorageDriver, IGrowingFiles, IPruner, IJournaled, IUncached, IDiskSpace)
@attrs.define(eq=False)
class FilesystemDriver:
    """Files below ``root``; blocking work is done on ``disk``.

    A file that is read whole and is small is read in the reactor thread, as is a
    ``stat``; all else goes to the pool. So do they if the directory is shared and its
    file system is not known to be local.

    :param boot_id: identifies this boot of the kernel; empty if unknown.
    :param direct_writes: files that nobody reads while they grow bypass the page cache;
        see Note [Direct writes] in :mod:`txregistry.storagedriver.filesystem.appender`.
    :param is_shared: other processes or machines write below the root; see
        :mod:`txregistry.storagedriver.filesystem.shared`. There is no journal then.
    """

    _root: str
    _disk: Disk
    name: str = "filesystem"
    _boot_id: Callable[[], str] = boot_id
    _commits: Commits | None = None
    _direct_writes: bool = True
    is_shared: bool = False
    _fed: set[FileWriter] = attrs.field(factory=set)
    _may_wait: bool | None = None
    _work: PathWork = attrs.field(init=False)
    _log = Logger()

    def __attrs_post_init__(self) -> None:
        self._work = PathWork(
            self.name, self._root, self._disk, self.is_shared, self._may_wait
        )

    def get(self, path: str) -> Deferred[bytes]:
        """Read a small file whole."""
        if self._work.is_remote:
            return self._work.there(path, read_whole, self._work.file)
        return self._work.here(path, read_small, self._work.file(path), self._disk)

    def space(self) -> Deferred[DiskSpace]:
        """Ask the file system how much is free, in a thread: it may be a remote one."""
        done = self._disk.run(space_of, self._root)
        return done.addErrback(self._work.translate_failure, ROOT)

    def put(self, path: str, content: bytes, durable: bool = True) -> Deferred[None]:
        """Replace a file atomically."""
        if durable:
            return self.apply([PutFile(path, content)])
        return self._work.here(path, put_quickly, self._work.file(path), content)

    def apply(self, changes: Sequence[Change]) -> Deferred[None]:
        """Make several changes with one wait for the disk."""
        paths = [path for change in changes for path in paths_of(change)]
        try:
            for path in paths:
                check_file(self.name, path)
        except DriverError:
            return failed(Failure())
        return self._apply(changes).addErrback(self._work.translate_failure, paths[0])

    def _apply(self, changes: Sequence[Change]) -> Deferred[None]:
        if self._commits is not None:
            return self._commits.apply(changes)
        real = [located(change, self._root) for change in changes]
        return self._disk.run(apply_changes, real, self._root)

    def reader(self, path: str) -> Deferred[IStoredFile]:
        """Open a file for reading."""
        if not self._work.is_remote:
            return self._work.here(path, open_reader, self._work.file(path), self._disk)
        opening: Deferred[IStoredFile] = self._work.there(
            path, open_reader, self._work.file, self._disk
        )
        return kept_open(opening, lambda file: file.close())

    def uncached(self, path: str) -> Deferred[IUncachedFile]:
        """Open a file to be read from the disk itself."""
        name = self.name
        return self._work.there(
            path, open_uncached, self._work.file, self._disk, name, path
        )

    def writer(
        self,
        path: str,
        keep_bytes: int = 0,
        hasher: IncrementalHash | None = None,
        read_while_written: bool = True,
    ) -> Deferred[IFileWriter]:
        """Open a file for writing."""
        opened = partial(
            open_writer,
            disk=self._disk,
            path=path,
            keep_bytes=keep_bytes,
            hasher=hasher,
            direct=self._direct_writes and not read_while_written,
            is_shared=self.is_shared,
            fed=self._fed,
        )
        try:
            real = self._work.file(path)()
            if not self._work.is_remote and os.path.isdir(os.path.dirname(real)):
                # A link file costs no more; there is nothing to make.
                return succeed(opened(real))
        except OSError as error:
            return failed(self._work.translate(path, error))
        except DriverError as error:
            return failed(error)
        opening: Deferred[IFileWriter] = self._work.there(path, opened, self._work.file)
        return kept_open(opening, lambda file: file.close())

    def stat(self, path: str) -> Deferred[FileStat]:
        """Look at a path."""
        return self._work.here(path, stat_path, self._work.directory(path), path)

    def list(self, path: str) -> Deferred[Paths]:
        """List the children of a directory."""
        return self._work.there(path, list_directory, self._work.directory, path)

    async def scan(self, path: str) -> AsyncIterator[str]:
        """Visit the children of a directory that may be long."""
        for name in unpacked(await self._work.there(path, pack, self._work.directory)):
            yield child(path, name)

    def move(self, source: str, destination: str) -> Deferred[None]:
        """Move a file."""
        return self.apply([MoveFile(source, destination)])

    def delete(self, path: str, durable: bool = True) -> Deferred[None]:
        """Delete a file or a tree."""
        if not durable or self._commits is None:
            return self._work.there(path, delete, self._work.file, durable)
        # The journal gets no record for a path that does not exist.
        return self._work.here(path, self._delete, self._work.file(path), path)

    @deferred
    async def open_journal(self, path: str) -> int:
        """Repair what a power failure undid; see :class:`IJournaled`."""
        if self.is_shared:
            raise DriverError(self.name, path, "no journal where others write")
        directory = check_file(self.name, path)
        journal = Journal(self._root, directory, self._boot_id())
        try:
            mended: int = await self._on_journal(path, self._disk.run(journal.open))
        except NoRoom:
            self._log.warn("no room for a journal: each change waits for the disk")
            return 0
        self._commits = Commits(self._root, self._disk, journal)
        return mended

    @deferred
    async def checkpoint(self) -> None:
        """Make durable what the journal holds."""
        if self._commits is not None:
            await self._on_journal(ROOT, self._commits.checkpoint())

    @deferred
    async def close_journal(self) -> None:
        """Make all changes durable and remove the journal."""
        if self._commits is not None:
            await self._on_journal(ROOT, self._commits.close())
        self._commits = None

    @deferred
    async def _on_journal(self, path: str, done: Deferred[T]) -> T:
        try:
            return await done
        except OSError as error:
            # The error may concern any file below the root.
            where = f"{error.strerror or error}: {error.filename or path}"
            raise DriverError(self.name, path, where) from error
        except JournalUnreadable as error:
            raise DriverError(self.name, path, str(error)) from error

    def prune(self, path: str, stop: str) -> Deferred[None]:
        """Remove empty directories upward."""
        return self._work.there(path, prune, self._work.file, self._root + stop)

    @deferred
    async def sweep(self, path: str, before: float) -> int:
        """Delete leftovers of interrupted writes."""
        directories = os.walk(self._work.directory(path)())
        found, some = 0, await self._sweep_some(path, directories, before)
        while some is not None:
            found += some
            some = await self._sweep_some(path, directories, before)
        return found

    def _sweep_some(
        self, path: str, directories: Iterator[Directory], before: float
    ) -> Deferred[int | None]:
        done = self._disk.run(sweep_some, directories, before)
        return done.addErrback(self._work.translate_failure, path)

    def walk(
        self,
        path: str,
        only: Only | None = None,
        unreadable: Callable[[DriverError], None] | None = None,
    ) -> AsyncIterator[FileStat]:
        """Visit all below a path, one directory at a time."""
        return walk_below(self._work, path, only, unreadable)

    def _delete(self, real: str, path: str) -> Deferred[None]:
        os.lstat(real)
        assert self._commits is not None  # only called where there is a journal
        return self._commits.commit([Delete(path)])


def filesystem(
    parameters: Mapping[str, object], disk: Disk, clock: IReactorTime
) -> IStorageDriver:
    """Make the filesystem driver from its section of the configuration."""
    root = parameters.get("rootdirectory", "/var/lib/registry")
    return FilesystemDriver(
        os.path.abspath(str(root)),
        disk,
        direct_writes=bool(parameters.get("directwrites", True)),
        is_shared=bool(parameters.get("shared", False)),
    )
