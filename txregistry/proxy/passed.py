"""Blobs that are not stored: straight from the upstream to one client, verified.

Note [Passed through]. A blob that the disk refuses, or that no room can be made for,
is downloaded for each client that asks for it. Like those of a fill its last bytes wait
for the digest, and a body that breaks off is resumed. A client that has got a part from
a fill whose disk was full goes on where it is: what it has got is hashed in the growing
file, and only the rest is downloaded. A range that does not reach the end of a blob is
requested as such: of a fill, too, it would be sent before the digest is known.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer, IReactorTime
from twisted.internet.task import deferLater
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.flow.producer_relay import ProducerRelay
from txregistry.flow.retry import backoff
from txregistry.flow.shared_rate import SharedRate
from txregistry.flow.streams import ShortRead
from txregistry.interfaces.blobs import (
    IBlobReader,
    IBlobResumer,
    IBlobService,
    IRemoteBlobReader,
)
from txregistry.interfaces.driver import DriverError
from txregistry.interfaces.files import IFileReader, IStoredFile
from txregistry.interfaces.observe import Count, IMeter
from txregistry.proxy.pacing import read_paced
from txregistry.proxy.state import HELD_BACK_BYTES, FillState
from txregistry.proxy.verified_window import VerifiedWindow
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import IncrementalHash
from txregistry.spec.errors import UpstreamFailed


@attrs.frozen
class BlobSource:
    """Where a blob that is not stored comes from, and how patiently.

    :ivar jitter: gives 0 to 1, by which waits before a retry differ.
    :ivar rate: at which bodies are received, with those of downloads.
    """

    blobs: IBlobService
    meter: IMeter
    clock: IReactorTime
    jitter: Callable[[], float]
    rate: SharedRate


@attrs.define(eq=False)
class Passage:
    """One client's way through a blob that is not stored.

    :param opened: a reader of the upstream whose body waits, if there is one.
    :param prefix: a file with the beginning of the blob, if there is one.
    """

    _origin: BlobSource
    _descriptor: Descriptor
    _opened: IRemoteBlobReader | None = None
    _prefix: IFileReader | None = None

    @deferred
    async def send(self, consumer: IConsumer, offset: int, end: int | None) -> None:
        """Push bytes into a consumer; fires when all are written.

        :param end: the first byte that is not wanted; ``None`` for all.
        :return: fails with ``ConsumerStopped``, as the upstream does, or with
            ``UpstreamFailed`` if the content does not match its digest: then its end
            was not sent.
        """
        size = self._descriptor.size
        relay = ProducerRelay(consumer)
        relay.open()
        try:
            if end and size and end <= size - HELD_BACK_BYTES:
                await self._send_range(relay, offset, end)
            else:
                await self._send_verified(relay, offset, end)
        finally:
            relay.close()
            self.close()

    def close(self) -> None:
        """Discard a body that nobody has read."""
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()

    @deferred
    async def _send_range(self, consumer: IConsumer, offset: int, end: int) -> None:
        reader = await self._open(offset)
        try:
            rate = self._origin.rate
            await read_paced(reader, rate, consumer, offset, end - offset)
        finally:
            reader.close()

    @deferred
    async def _send_verified(
        self, consumer: IConsumer, offset: int, end: int | None
    ) -> None:
        digest, hasher = self._descriptor.digest, self._descriptor.digest.hasher()
        at = offset if await self._hash_prefix(hasher, offset) else 0
        if not at:
            hasher = digest.hasher()
        window = VerifiedWindow(consumer, digest, hasher, offset, end, at)
        await self._fetch(window)
        window.finish()

    @deferred
    async def _hash_prefix(self, hasher: IncrementalHash, size: int) -> bool:
        """Fire with whether the beginning is at hand, and now in the hash."""
        if not size or not IStoredFile.providedBy(self._prefix):
            return False
        try:
            await IStoredFile(self._prefix).hash(hasher=hasher, size=size)
        except (DriverError, OSError, ShortRead):
            return False  # the disk does not give it
        return True

    @deferred
    async def _fetch(self, window: VerifiedWindow) -> None:
        state = FillState(written=window.received)
        delays = list(backoff(8, 0.5, 8.0, self._origin.jitter))
        while True:
            try:
                await self._fetch_rest(window)
                return
            except Exception as error:
                state.written = window.received
                attempt = state.next_attempt(error)
                if attempt is None:
                    raise
            await deferLater(self._origin.clock, delays[attempt])

    @deferred
    async def _fetch_rest(self, window: VerifiedWindow) -> None:
        size, before = self._descriptor.size, window.received
        if size is not None and before >= size:
            return
        reader = await self._open(before)
        try:
            window.begin(reader.start)
            await read_paced(reader, self._origin.rate, window, reader.start, None)
        finally:
            reader.close()
            received = window.received - before
            self._origin.meter.count(Count.PULLED_BYTES, "blob", received)
        if size is not None and window.received < size:
            raise UpstreamFailed({"reason": "ended early"})

    @deferred
    async def _open(self, offset: int) -> IRemoteBlobReader:
        opened, self._opened = self._opened, None
        if opened is not None and opened.start == offset:
            return opened
        if opened is not None:
            opened.close()
        blobs, digest = self._origin.blobs, self._descriptor.digest
        if offset and IBlobResumer.providedBy(blobs):
            resumer = cast(IBlobResumer, blobs)
            found = await resumer.open_from(
                digest=digest, offset=offset, validator=None
            )
        else:
            found = await blobs.open(digest=digest)
        return cast(IRemoteBlobReader, found)


@implementer(IBlobReader)
@attrs.define(eq=False)
class PassedBlob:
    """An open blob that is not stored; each read is a download."""

    descriptor: Descriptor
    _origin: BlobSource
    _opened: IRemoteBlobReader | None

    @property
    def size(self) -> int:
        """Return the size of the whole in bytes; 0 while unknown."""
        return self.descriptor.size or 0

    def read(
        self, consumer: IConsumer, offset: int = 0, size: int | None = None
    ) -> Deferred[None]:
        """Push bytes into a consumer as they come; see :meth:`Passage.send`."""
        opened, self._opened = self._opened, None
        passage = Passage(self._origin, self.descriptor, opened)
        end = None if size is None else offset + size
        return passage.send(consumer, offset, end)

    def close(self) -> None:
        """Discard a body that nobody has read."""
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()


@deferred
async def open_passed(source: BlobSource, descriptor: Descriptor) -> IBlobReader:
    """Open a blob at the upstream, to be sent to one client; fails as that does."""
    opened = await source.blobs.open(digest=descriptor.digest)
    size = opened.descriptor.size
    found = descriptor if size is None else attrs.evolve(descriptor, size=size)
    return PassedBlob(found, source, cast(IRemoteBlobReader, opened))
