"""Open objects.

Opening one asks for all of it, and keeps the answer waiting: who then reads from the
beginning has cost one question. Who reads elsewhere, or too late, asks again.
"""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer, IDelayedCall, IReactorTime
from twisted.web.iweb import IResponse
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.flow.disk import Disk
from txregistry.flow.streams import ConsumerStopped, ShortRead
from txregistry.interfaces.driver import DriverError
from txregistry.interfaces.files import IStoredFile
from txregistry.spec.digest import IncrementalHash
from txregistry.storagedriver.s3.client import Client
from txregistry.storagedriver.s3.download import ObjectDownload, Source
from txregistry.storagedriver.s3.failures import FAILURES, NAME, as_driver_error
from txregistry.storagedriver.s3.hashing import HashingConsumer
from txregistry.storagedriver.s3.responses import drop

#: Seconds for which the answer waits to be read.
_HELD_SECONDS = 10.0


@implementer(IStoredFile)
@attrs.define(eq=False)
class S3Reader:
    """An open object.

    :param path: of the file, for errors.
    """

    _client: Client
    _clock: IReactorTime
    _disk: Disk
    _path: str
    _source: Source
    _held: IResponse | None = None
    _timer: IDelayedCall | None = None
    identity: str = ""

    def __attrs_post_init__(self) -> None:
        if self._held is not None:
            self._timer = self._clock.callLater(_HELD_SECONDS, self._let_go)

    @property
    def size(self) -> int:
        """Count its bytes."""
        return self._source.size

    @deferred
    async def read(
        self, consumer: IConsumer, offset: int = 0, size: int | None = None
    ) -> None:
        """Push bytes into a consumer; see :class:`IFileReader`."""
        there = max(0, self.size - offset)
        wanted = there if size is None else size
        if min(wanted, there) > 0:
            await self._push(consumer, offset, min(wanted, there))
        if wanted > there:
            raise ShortRead(f"{wanted - there} bytes are missing")

    @deferred
    async def _push(self, consumer: IConsumer, offset: int, size: int) -> None:
        held = None if offset else self._take()
        download = ObjectDownload(
            self._client, self._clock, self._source, consumer, offset, size
        )
        try:
            await download.start(held)
        except FAILURES as error:
            found = as_driver_error(self._path, error)
            # It was there when it was opened.
            reason = found.reason or "the object was deleted"
            raise DriverError(NAME, self._path, reason) from error

    @deferred
    async def hash(self, hasher: IncrementalHash, size: int) -> None:
        """Feed the first bytes to a hash, on threads."""
        consumer = HashingConsumer(self._disk, hasher)
        try:
            await self.read(consumer, 0, size)
        except ConsumerStopped as error:
            raise DriverError(NAME, self._path, "stopped") from error
        finally:
            flushed: Deferred[None] = consumer.flushed()
        await flushed

    def close(self) -> None:
        """Forget the answer, if nobody has read it."""
        self._let_go()

    def _take(self) -> IResponse | None:
        held, self._held = self._held, None
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        return held

    def _let_go(self) -> None:
        held = self._take()
        if held is not None:
            drop(held)
