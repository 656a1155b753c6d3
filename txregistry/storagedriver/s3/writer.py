"""Files that are being written, in parts.

Two parts of a file are in memory at most: one that is sent, and one that gathers
meanwhile; then the producer waits. A file of one part that is committed is one object.
"""

from __future__ import annotations

from typing import cast

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProducer, IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from txregistry.flow.buffer_budget import BufferBudget
from txregistry.flow.context import in_context
from txregistry.flow.deferred import deferred
from txregistry.flow.disk import Disk
from txregistry.flow.waiters import Waiters
from txregistry.interfaces.driver import DriverError
from txregistry.interfaces.files import IFileWriter
from txregistry.spec.digest import IncrementalHash
from txregistry.storagedriver.s3.failures import FAILURES, NAME, as_driver_error
from txregistry.storagedriver.s3.gathering import Gathered, hash_pieces, part_bytes
from txregistry.storagedriver.s3.target import FileTarget

#: Bytes that may wait to be hashed.
_UNHASHED_BYTES = 3 * 1024 * 1024


@implementer(IFileWriter)
@attrs.define(eq=False)
class S3Writer:
    """Appends to a file.

    :param target: where its parts go.
    :param writers: all that share the budget.
    :ivar size: bytes taken in, and those of the file before; ``close`` stores them.
    """

    _target: FileTarget
    _path: str
    size: int
    _disk: Disk
    _hasher: IncrementalHash | None
    _budget: BufferBudget
    _writers: set[S3Writer]
    _part: Gathered = attrs.field(init=False)
    _unhashed: list[tuple[Gathered, bytes]] = attrs.field(factory=list)
    _unhashed_bytes: int = 0
    _full: list[Gathered] = attrs.field(factory=list)
    _is_hashing: bool = False
    _is_sending: bool = False
    _waiters: Waiters[None] = attrs.field(factory=Waiters)
    _failure: Failure | None = None
    _is_open: bool = True
    _producer: IProducer | None = None
    _streaming: bool = False
    _paused: bool = False

    def __attrs_post_init__(self) -> None:
        self._writers.add(self)
        self._part = self._next_part()

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """Take a producer; a pull producer is resumed whenever there is room."""
        self._producer, self._streaming, self._paused = producer, streaming, False
        if self._failure is not None:
            producer.stopProducing()
        elif not streaming:
            cast(IPushProducer, producer).resumeProducing()

    def unregisterProducer(self) -> None:
        """Let the producer go."""
        self._producer = None

    def write(self, data: bytes) -> None:
        """Take in bytes; after a failure or a close they are dropped."""
        if self._failure is not None or not self._is_open or not data:
            return
        self.size += len(data)
        while data:
            if self._part.is_full:
                self._part = self._next_part()
            part = self._part
            before = len(data)
            rest = part.add(data)
            self._unhashed.append((part, part.pieces[-1]))
            self._unhashed_bytes += before - len(rest)
            data = rest
            if part.is_full:
                self._full.append(part)
        self._hash()
        self._throttle()

    def flush(self, durable: bool = False) -> Deferred[None]:
        """Wait until what was written is hashed, or stored as well."""
        return self._store() if durable else self._settled()

    @deferred
    async def commit(self) -> None:
        """Store all, and make it one object."""
        await self._settled()
        if self._target.is_empty and not self._full:
            await self._tell(self._target.put(self._part.pieces, self._part.sha256))
        else:
            await self._store()
            await self._tell(self._target.complete())
        self._shut()

    @deferred
    async def close(self) -> None:
        """Store all, to be gone on with."""
        if not self._is_open:
            return
        try:
            await self._store()
        finally:
            self._shut()

    @deferred
    async def cancel(self) -> None:
        """Give up what was written, and what was there before."""
        if not self._is_open:
            return
        self._shut()
        if self._is_sending or self._is_hashing:
            await self._idle(ignore=True)
        await self._tell(self._target.remove())

    def _next_part(self) -> Gathered:
        wanted = part_bytes(self._budget, len(self._writers), self.size)
        return Gathered(wanted)

    def _hash(self) -> None:
        if self._is_hashing or not self._unhashed:
            return
        batch, self._unhashed, self._unhashed_bytes = self._unhashed, [], 0
        self._is_hashing = True
        done = self._disk.run(hash_pieces, self._hasher, batch)
        done.addCallbacks(self._hashed, self._broken)

    def _hashed(self, _: None) -> None:
        self._is_hashing = False
        self._hash()
        self._send()
        self._moved()

    def _send(self) -> None:
        """Send the next full part, once it is hashed."""
        ready = self._full and not self._is_waiting(self._full[0])
        if self._is_sending or not ready or not self._is_open or self._failure:
            return
        self._is_sending = True
        part = self._full[0]
        done = self._tell(self._target.send(part.pieces, part.sha256, is_last=False))
        done.addCallbacks(lambda _: self._sent(part), self._broken)

    def _is_waiting(self, part: Gathered) -> bool:
        return self._is_hashing or any(waits is part for waits, _ in self._unhashed)

    def _sent(self, part: Gathered) -> None:
        self._is_sending = False
        self._full.remove(part)
        if part is self._part:
            self._part = self._next_part()
        self._send()
        self._moved()

    def _broken(self, failure: Failure) -> None:
        self._is_hashing = self._is_sending = False
        self._failure = failure
        if self._producer is not None:
            self._producer.stopProducing()
        self._moved()

    def _moved(self) -> None:
        """Tell those who wait, and take in more."""
        if self._failure is not None:
            self._waiters.fire(self._failure)
        elif not (self._is_hashing or self._is_sending or self._unhashed):
            self._waiters.fire(None)
        self._throttle()

    @property
    def _is_behind(self) -> bool:
        """Tell if a part is sent, and the next one is full already."""
        full = len(self._full)
        return self._unhashed_bytes >= _UNHASHED_BYTES or full >= 2

    def _throttle(self) -> None:
        if self._producer is None or self._failure is not None:
            return
        producer = cast(IPushProducer, self._producer)
        if self._is_behind:
            if self._streaming and not self._paused:
                self._paused = True
                producer.pauseProducing()
        elif self._paused or not self._streaming:
            self._paused = False
            producer.resumeProducing()

    @deferred
    async def _settled(self) -> None:
        await self._idle()
        if not self._is_open:
            raise DriverError(NAME, self._path, "is closed")

    @deferred
    async def _idle(self, ignore: bool = False) -> None:
        """Wait until nothing is under way."""
        while self._is_hashing or self._is_sending or self._unhashed:
            if self._failure is not None:
                break
            try:
                await self._waiters.wait(_nothing)
            except DriverError:
                break
        if self._failure is not None and not ignore:
            self._failure.raiseException()

    @deferred
    async def _store(self) -> None:
        """Send the last part, however small; it is sent again if it grows."""
        await self._settled()
        part = self._part
        if self._target.owes or (part.size and not part.is_full):
            await self._tell(self._target.send(part.pieces, part.sha256, is_last=True))
        elif self._target.is_empty:
            await self._tell(self._target.begin())

    def _tell(self, done: Deferred[None]) -> Deferred[None]:
        return done.addErrback(in_context(self._explained))

    def _explained(self, failure: Failure) -> Failure:
        if not failure.check(*FAILURES):
            return failure
        error = as_driver_error(self._path, failure.value)
        # What was there has gone, such as an upload that another node has taken over.
        reason = error.reason or "the upload is gone"
        return Failure(DriverError(NAME, self._path, reason))

    def _shut(self) -> None:
        self._is_open = False
        self._writers.discard(self)


def _nothing() -> None:
    """Leave what is under way alone: only the wait ends."""
