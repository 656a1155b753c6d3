"""The storage driver: a small file system, and its four errors."""

from __future__ import annotations

import errno
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from txregistry.interfaces.files import IFileWriter, IStoredFile, IUncachedFile
from txregistry.spec.digest import IncrementalHash

#: Full paths, sorted.
Paths = list[str]


@attrs.frozen
class FileStat:
    """What a driver says of a path.

    :ivar size: bytes; 0 for a directory.
    :ivar modified_at: seconds since the epoch.
    :ivar identity: of a file: another one if it was replaced or written to since.
        Moving it changes nothing, copying does. Empty if the driver cannot tell.
    """

    path: str
    size: int
    modified_at: float
    is_directory: bool
    identity: str = ""


@attrs.frozen
class PutFile:
    """Replace a small file."""

    path: str
    content: bytes


@attrs.frozen
class MoveFile:
    """Move a file, replacing one that is there.

    :ivar sync: its content is made durable first.
    """

    source: str
    destination: str
    sync: bool = False


@attrs.frozen
class RemoveTree:
    """Delete a directory with all below it, which need not be there or be durable.

    What it was in stays, also if that is empty now.
    """

    path: str


#: One step of :meth:`IStorageDriver.apply`.
Change = PutFile | MoveFile | RemoveTree


#: What a system says of content that its disk has lost: a sector, or a checksum.
_LOST = {errno.EIO, errno.ENODATA, errno.EBADMSG, errno.EILSEQ, errno.EUCLEAN}


def lost_by_disk(error: BaseException | None) -> bool:
    """Tell if an error of a driver means that the disk does not give what it has.

    Any other one, such as missing rights, says nothing about the content (pure).
    """
    while error is not None:
        if isinstance(error, OSError):
            return error.errno in _LOST
        error = error.__cause__
    return False


#: What a system says where nothing can be written: no room, a quota, a limit of files,
#: a file system that is read-only, a disk that is broken.
_REFUSED = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO}


def refused_by_disk(error: BaseException | None) -> bool:
    """Tell if an error of a driver means that the disk takes nothing new (pure)."""
    while error is not None:
        if isinstance(error, OSError):
            return error.errno in _REFUSED
        error = error.__cause__
    return False


class DriverError(Exception):
    """A driver could not do what it was asked; says which driver and path."""

    def __init__(self, driver: str, path: str, reason: str = "") -> None:
        super().__init__(driver, path, reason)
        self.driver = driver
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.driver}: {self.path}: {self.reason or type(self).__name__}"


class PathNotFound(DriverError):
    """Nothing is at the path."""


class InvalidPath(DriverError):
    """The path breaks the grammar ``(/[A-Za-z0-9._-]+)+``."""


class FileBusy(DriverError):
    """Another process writes to the file; it ends soon, or by itself."""


class InvalidOffset(DriverError):
    """An offset is negative, or past the end of the file."""


class IStorageDriver(Interface):
    """Files under slash-separated paths. All Deferreds fail with a ``DriverError``.

    A file appears whole or not at all, except one under a ``writer`` that was
    closed without commit. Directories exist while something is in them, or longer.
    """

    name: str = Attribute("The driver's name in the configuration.")
    is_shared: bool = Attribute(
        "Others change the files as well: what one process remembers of links, tags,"
        " uploads and lists may be out of date, and its locks hold nobody else back."
    )

    def get(path: str) -> Deferred[bytes]:
        """Fire with the content of a small file; fail with ``PathNotFound``."""

    def put(path: str, content: bytes, durable: bool = True) -> Deferred[None]:
        """Replace a small file atomically.

        :param durable: wait until a power failure cannot take it back.
        """

    def apply(changes: Sequence[Change]) -> Deferred[None]:
        """Make several changes, in order and durably, at the price of about one.

        Each file appears whole or not at all, and none before those that stand before
        it: content comes before what links it. When one fails, those before it may
        have been made.
        """

    def reader(path: str) -> Deferred[IStoredFile]:
        """Open a file; it stays readable when deleted, moved or appended to.

        Where :class:`IGrowingFiles` is provided, reads past :attr:`IStoredFile.size`
        are permitted with an explicit size. Fails with ``PathNotFound``.
        """

    def writer(
        path: str,
        keep_bytes: int = 0,
        hasher: IncrementalHash | None = None,
        read_while_written: bool = True,
    ) -> Deferred[IFileWriter]:
        """Open a file for writing; one that is not there is made.

        :param keep_bytes: how much of the beginning of a file that is there stays,
            to be appended to. Fails with ``InvalidOffset`` if it is not that long.
        :param hasher: is given every byte that is written, in order, perhaps on
            another thread; complete when ``flush`` has fired.
        :param read_while_written: what nobody reads meanwhile need not be held in
            memory that others make better use of.
        """

    def stat(path: str) -> Deferred[FileStat]:
        """Fire with what is at a path; fail with ``PathNotFound``."""

    def list(path: str) -> Deferred[Paths]:
        """Fire with the full paths of the direct children, sorted by code point.

        What lies there under a name that is part of no path is passed over, here as by
        ``scan`` and ``walk``.
        """

    def scan(path: str) -> AsyncIterator[str]:
        """Visit the full paths of the direct children, in no order; await each.

        For directories of any length: they are those of one moment, and take little
        more memory than their names have bytes. Fails with ``PathNotFound``.
        """

    def move(source: str, destination: str) -> Deferred[None]:
        """Move a file durably, replacing one that is there."""

    def delete(path: str, durable: bool = True) -> Deferred[None]:
        """Delete a file, or a directory with all below it.

        :param durable: wait until a power failure cannot bring it back.
        """

    def walk(
        path: str,
        only: Callable[[str], bool] | None = None,
        unreadable: Callable[[DriverError], None] | None = None,
    ) -> AsyncIterator[FileStat]:
        """Visit all below a path, parents before children, siblings sorted.

        Await each item. A file that goes away meanwhile is passed over.

        :param only: is asked of each path before it is looked at; what it is false of
            is passed over with all below it.
        :param unreadable: is told of what cannot be looked into, which is passed over;
            without it the walk fails with a ``DriverError``.
        """


class IJournaled(Interface):
    """Optional: a driver that can write changes down before it makes them.

    Between ``open_journal`` and ``close_journal`` one process uses the directory.
    """

    def open_journal(path: str) -> Deferred[int]:
        """Make good what a power failure undid, and use a journal from now on.

        :param path: the journal's directory, which is made.
        :return: fires with how many files were made good. Fails with ``DriverError``.
        """

    def checkpoint() -> Deferred[None]:
        """Make safe what the journal says, so that it need not say it any more.

        To be called every few seconds. Fails with ``DriverError``.
        """

    def close_journal() -> Deferred[None]:
        """Make all changes safe and leave no journal; fails with ``DriverError``."""


class IGrowingFiles(Interface):
    """Optional, without verbs: a file can be read and moved while it is written.

    It is at the path of its ``writer`` from the start, and a reader sees what was
    flushed. Without this, it is there when it is committed, or perhaps when it is
    closed.
    """


class IPruner(Interface):
    """Optional: a driver that has empty directories, and files left by crashes."""

    def sweep(path: str, before: float) -> Deferred[int]:
        """Delete the files of writes that a crash has cut off, anywhere below a path.

        :param before: seconds since the epoch; a younger one may be under way.
        :return: fires with how many there were. Fails with ``DriverError``.
            Cancelling stops between two looks.
        """

    def prune(path: str, stop: str) -> Deferred[None]:
        """Remove a directory if it is empty, then its parent, and so on.

        :param stop: an ancestor that stays.
        """


class IUncached(Interface):
    """Optional: a driver that can read the storage medium itself.

    A copy of a file in the memory of the machine hides that the medium has lost it.
    Reading all that is stored should not evict from memory what is in use.
    """

    def uncached(path: str) -> Deferred[IUncachedFile]:
        """Open a file; fail with ``PathNotFound`` or another ``DriverError``."""


@attrs.frozen
class DiskSpace:
    """A file system, in bytes.

    :ivar total: all that it has.
    :ivar free: what this process may still write.
    """

    total: int
    free: int


class IDiskSpace(Interface):
    """Optional: a driver that knows how much its file system has left."""

    def space() -> Deferred[DiskSpace]:
        """Fire with what is free now; fail with a ``DriverError``."""


class IConnected(Interface):
    """Optional: a driver that asks others over the network."""

    def connect(reactor: Any) -> None:
        """Take what connections are made with, before anything else is asked for."""

    def disconnect() -> Deferred[None]:
        """Close connections that nobody uses, at the end; cannot fail."""


@attrs.frozen
class FileRequest:
    """A client that is about to read a file by a URL.

    :ivar method: ``GET`` or ``HEAD``; a URL may be good for one of them alone.
    :ivar address: of the client, as in the access log; empty if unknown.
    """

    method: str
    address: str = ""


class IURLProvider(Interface):
    """Optional: a driver that knows URLs by which clients read files themselves."""

    def url(path: str, request: FileRequest) -> Deferred[str | None]:
        """Fire with a URL of a file, which serves ranges as well.

        It need not touch the storage: a file that is not there has a URL, too.

        :return: fires with ``None`` if this client has to read through the driver.
            Fails with a ``DriverError``.
        """


class IObjectKeys(Interface):
    """Optional: a driver that keeps files as the objects of a bucket."""

    def key(path: str) -> str:
        """Give the key of a file's object, which does not begin with a slash."""
