"""Files that are being written: appending with back-pressure."""

from __future__ import annotations

import os
from typing import cast

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IProducer, IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from txregistry.flow.buffer_budget import BODIES
from txregistry.flow.deferred import deferred
from txregistry.flow.disk import Disk
from txregistry.interfaces.driver import DriverError, InvalidOffset
from txregistry.interfaces.files import IFileWriter
from txregistry.spec.digest import IncrementalHash
from txregistry.speed.failures import failed
from txregistry.storagedriver.filesystem.appender import Appender
from txregistry.storagedriver.filesystem.atomic import in_directory
from txregistry.storagedriver.filesystem.shared import claim


@implementer(IFileWriter)
@attrs.define(eq=False)
class FileWriter:
    """Append to a file; the disk writes one batch while the next one gathers.

    :param fed: writers of the same disk that have a producer: they share the memory for
        waiting bytes.
    """

    _disk: Disk
    _path: str
    _appender: Appender
    _fed: set[FileWriter] = attrs.field(factory=set)
    size: int = attrs.field(init=False)
    _accepted: int = attrs.field(init=False)
    _pending: list[bytes] = attrs.field(factory=list)
    _busy: Deferred[None] | None = None
    _failure: Failure | None = None
    _open: bool = True
    _waiters: list[tuple[int, Deferred[None]]] = attrs.field(factory=list)
    _producer: IProducer | None = None
    _streaming: bool = False
    _paused: bool = False

    def __attrs_post_init__(self) -> None:
        self.size = self._accepted = self._appender.size

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """Take a producer; a pull producer is resumed whenever there is room."""
        self._producer, self._streaming, self._paused = producer, streaming, False
        self._fed.add(self)
        if self._failure is not None:
            producer.stopProducing()
        elif not streaming:
            self._resume()

    def unregisterProducer(self) -> None:
        """Let the producer go."""
        self._producer = None
        self._fed.discard(self)

    def write(self, data: bytes) -> None:
        """Take in bytes; after a failure or a close they are dropped."""
        if self._failure is not None or not self._open or not data:
            return
        self._accepted += len(data)
        self._pending.append(data)
        if self._accepted - self.size >= self._may_wait:
            self._pause()
        self._drain()

    def flush(self, durable: bool = False) -> Deferred[None]:
        """Wait for the bytes written so far; see :class:`IFileWriter`."""
        return self._sync() if durable else self._reach(self._accepted)

    @deferred
    async def commit(self) -> None:
        """Flush durably and close."""
        await self._sync()
        await self._shut()

    @deferred
    async def close(self) -> None:
        """Flush and close; the file stays."""
        try:
            await self._reach(self._accepted)
        finally:
            await self._shut()

    @deferred
    async def cancel(self) -> None:
        """Close and delete the file."""
        if self._open:
            self._pending.clear()
            try:
                await self._shut()
            finally:
                await self._disk.run(_unlink, self._path)

    @deferred
    async def _sync(self) -> None:
        await self._reach(self._accepted)
        await self._disk.run(os.fsync, self._appender.descriptor)

    def _reach(self, target: int) -> Deferred[None]:
        if self._failure is not None:
            return failed(self._failure)
        if self.size >= target:
            return succeed(None)
        if not self._open:
            return failed(self._closed())
        # Cancelling only stops the wait: the bytes stay queued until it is closed.
        waiter: Deferred[None] = Deferred()
        self._waiters.append((target, waiter))
        self._drain()
        return waiter

    def _shut(self) -> Deferred[None]:
        if not self._open:
            return succeed(None)
        self._open = False
        self._fed.discard(self)
        self._pending.clear()
        # The descriptor belongs to the current batch until that is written.
        idle = succeed(None) if self._busy is None else self._busy
        idle.addBoth(lambda _: self._tell(self._closed()))
        # Closing may write: network file systems then send their buffers.
        idle.addBoth(lambda _: self._disk.run(os.close, self._appender.descriptor))
        idle.addErrback(self._explained)
        # Cancelling only stops waiting.
        closed: Deferred[None] = Deferred()
        idle.chainDeferred(closed)
        return closed

    @property
    def _may_wait(self) -> int:
        """Give the number of waiting bytes at which a producer is paused."""
        return BODIES.share(len(self._fed))

    def _drain(self) -> None:
        if self._busy is not None or not self._open:
            return
        if not (self._pending or self._waiters):
            return  # kept-back bytes may wait
        batch, self._pending = self._pending, []
        busy: Deferred[None] = Deferred()
        self._busy = busy
        written = self._disk.run(self._appender.append, batch)
        written.addCallbacks(self._written, self._broken)
        written.addCallback(lambda _: busy.callback(None))
        written.addErrback(busy.errback)

    def _written(self, size: int) -> None:
        self._busy = None
        self.size = size
        reached = [waiter for target, waiter in self._waiters if target <= self.size]
        self._waiters = [
            (target, waiter) for target, waiter in self._waiters if target > self.size
        ]
        for waiter in reached:
            waiter.callback(None)
        self._drain()
        # The producer resumes while the next batch is written, not after it.
        if self._accepted - self.size < self._may_wait:
            self._resume()

    def _broken(self, failure: Failure) -> None:
        self._busy = None
        self._failure = failure = self._explained(failure)
        self._pending.clear()
        self._tell(failure)
        if self._producer is not None:
            self._producer.stopProducing()

    def _tell(self, failure: Failure) -> None:
        waiters, self._waiters = self._waiters, []
        for _, waiter in waiters:
            waiter.errback(failure)

    def _closed(self) -> Failure:
        return Failure(DriverError("filesystem", self._path, "is closed"))

    def _explained(self, failure: Failure) -> Failure:
        reason = getattr(failure.value, "strerror", None) or str(failure.value)
        told = DriverError("filesystem", self._path, reason)
        told.__cause__ = failure.value
        return Failure(told)

    def _pause(self) -> None:
        if self._streaming and not self._paused and self._producer is not None:
            self._paused = True
            cast(IPushProducer, self._producer).pauseProducing()

    def _resume(self) -> None:
        if self._producer is not None and (self._paused or not self._streaming):
            self._paused = False
            cast(IPushProducer, self._producer).resumeProducing()


def open_writer(
    real: str,
    disk: Disk,
    path: str,
    keep_bytes: int,
    hasher: IncrementalHash | None,
    direct: bool,
    is_shared: bool,
    fed: set[FileWriter],
) -> FileWriter:
    """Open a file for writing, and make it if it is not there; blocking.

    :param real: the path on the file system; ``path`` is the driver's.
    :param is_shared: keep other processes from writing to it.
    :raise InvalidOffset: the file is not as long as what is to be kept.
    :raise OSError: it cannot be opened, or is written elsewhere.
    """
    how = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK
    # The data will be moved: only its final directory entry must be durable.
    descriptor = in_directory(real, lambda: os.open(real, how, 0o666))
    try:
        if is_shared:
            claim(descriptor, real)
        size = os.fstat(descriptor).st_size
        if not 0 <= keep_bytes <= size:
            raise InvalidOffset("filesystem", path, f"cannot keep {keep_bytes} bytes")
        appender = Appender(descriptor, size, hasher, direct)
        appender.truncate(keep_bytes)
    except BaseException:
        os.close(descriptor)
        raise
    return FileWriter(disk, real, appender, fed)


def _unlink(path: str) -> None:
    if os.path.exists(path):
        os.unlink(path)
