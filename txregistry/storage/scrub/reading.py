"""Read one content at a bounded rate, and tell whether it matches its digest."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

import attrs
from twisted.internet.interfaces import IConsumer, IProducer, IReactorTime
from twisted.internet.task import deferLater
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.flow.streams import ShortRead
from txregistry.interfaces.driver import (
    DriverError,
    IStorageDriver,
    IUncached,
    PathNotFound,
    lost_by_disk,
)
from txregistry.interfaces.files import IStoredFile, IUncachedFile
from txregistry.spec.digest import Digest, IncrementalHash
from txregistry.storage.scrub.plan import LEAST_BYTES, TokenBucket
from txregistry.storage.tree import layout

#: Bytes that are read at once; a pass can end between two such pieces.
PIECE_BYTES = 1024 * 1024


class Verdict(Enum):
    """What reading has shown."""

    SOUND = "sound"
    DAMAGED = "damaged"
    CHANGED = "changed"  # deleted, or written to, meanwhile
    UNREADABLE = "unreadable"
    LOST = "lost"  # the disk does not give it


@attrs.frozen
class ContentReading:
    """The result for one file.

    :ivar reason: why it cannot be read.
    """

    verdict: Verdict
    size: int = 0
    identity: str = ""
    reason: str = ""


@attrs.define(eq=False)
class PacedReader:
    """Reads content piece by piece.

    :param count: called with the bytes of each piece.
    """

    _driver: IStorageDriver
    _clock: IReactorTime
    _pace: TokenBucket
    _count: Callable[[int], None]

    @deferred
    async def read(self, digest: Digest) -> ContentReading:
        """Read content and fire with the result; never fails but by cancelling."""
        path = layout.blob_data(digest)
        try:
            file = await self._open(path)
        except PathNotFound:
            return ContentReading(Verdict.CHANGED)
        except (DriverError, OSError) as error:
            return ContentReading(Verdict.UNREADABLE, reason=str(error))
        try:
            verdict = await self._judge(digest, file)
            return ContentReading(verdict, file.size, file.identity)
        except (DriverError, OSError) as error:
            verdict = Verdict.LOST if lost_by_disk(error) else Verdict.UNREADABLE
            return ContentReading(verdict, file.size, file.identity, str(error))
        finally:
            file.close()

    @deferred
    async def wait(self, seconds: float) -> None:
        """Fire after some time."""
        await deferLater(self._clock, seconds)

    @deferred
    async def _open(self, path: str) -> IUncachedFile:
        if IUncached.providedBy(self._driver):
            return await IUncached(self._driver).uncached(path)
        return PlainFile(await self._driver.reader(path))

    @deferred
    async def _judge(self, digest: Digest, file: IUncachedFile) -> Verdict:
        hasher = digest.hasher()
        for offset in range(0, file.size, PIECE_BYTES):
            wanted = min(PIECE_BYTES, file.size - offset)
            count = await file.hash(hasher, offset, wanted)
            self._count(count)
            if count < wanted:
                return Verdict.CHANGED
            await self._wait(count)
        await self._wait(max(0, LEAST_BYTES - file.size))
        return Verdict.SOUND if digest.matches(hasher) else Verdict.DAMAGED

    @deferred
    async def _wait(self, size: int) -> None:
        seconds = self._pace.spend(size, self._clock.seconds())
        if seconds:
            await deferLater(self._clock, seconds)


@implementer(IUncachedFile)
@attrs.define(eq=False)
class PlainFile:
    """A file of a driver that cannot read past memory; hashed in this thread."""

    _file: IStoredFile

    @property
    def size(self) -> int:
        """Count its bytes."""
        return self._file.size

    @property
    def identity(self) -> str:
        """Give its identity."""
        return self._file.identity

    @deferred
    async def hash(self, hasher: IncrementalHash, offset: int, size: int) -> int:
        """Feed a part to a hash."""
        consumer = _Hashing(hasher)
        try:
            await self._file.read(consumer=consumer, offset=offset, size=size)
        except ShortRead:
            pass  # the count says so
        return consumer.count

    def close(self) -> None:
        """Close it."""
        self._file.close()


@implementer(IConsumer)
@attrs.define(eq=False)
class _Hashing:
    """A consumer that hashes; it is never full."""

    _hasher: IncrementalHash
    count: int = 0

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """Take a producer, which is never paused."""

    def unregisterProducer(self) -> None:
        """Let it go."""

    def write(self, data: bytes) -> None:
        """Hash a chunk."""
        self._hasher.update(data)
        self.count += len(data)
