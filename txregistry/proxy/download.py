"""The download of one blob into a growing file, resumed until its digest matches."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from txregistry.flow.context import in_context
from txregistry.flow.deferred import deferred
from txregistry.flow.demand import Demand
from txregistry.flow.retry import backoff
from txregistry.flow.shared_rate import SharedRate
from txregistry.interfaces.blobs import (
    IBlobResumer,
    IBlobService,
    IRemoteBlobReader,
)
from txregistry.interfaces.eviction import IReservation, IRoom
from txregistry.interfaces.files import IFileReader
from txregistry.interfaces.fills import FillCheckpoint, IPartialBlob, IPartialBlobs
from txregistry.interfaces.observe import Count, IMeter
from txregistry.proxy.audience import Audience
from txregistry.proxy.endless_room import EndlessRoom
from txregistry.proxy.intake import Intake
from txregistry.proxy.pacing import PacedBody
from txregistry.proxy.passed import BlobSource
from txregistry.proxy.passing import Passing
from txregistry.proxy.stall import StallClock
from txregistry.proxy.state import FillState, keeps_partial
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import DigestInvalid, SizeInvalid, UpstreamFailed

#: Seconds without a new byte after which a download fails; its bytes are kept.
STALL_SECONDS = 90.0

#: Longest wait in seconds that the upstream may ask for in the middle of a blob.
MAX_WAIT = 60.0


@attrs.frozen
class DownloadContext:
    """What all downloads of one upstream share.

    :ivar partials: the growing files.
    :ivar jitter: gives 0 to 1, by which waits before a retry differ.
    :ivar rate: at which the bodies of all downloads together are received.
    :ivar room: gives room on the disk.
    :ivar passing: what becomes of what cannot be stored.
    :ivar stall_seconds: a download fails after this long without a new byte, resumed
        or not.
    """

    partials: IPartialBlobs
    clock: IReactorTime
    jitter: Callable[[], float]
    meter: IMeter
    rate: SharedRate
    stall_seconds: float = STALL_SECONDS
    passing: Passing = attrs.field(factory=Passing)
    room: IRoom = attrs.field(factory=EndlessRoom)

    def source_of(self, blobs: IBlobService) -> BlobSource:
        """Give where blobs come from, for whoever gets them without a file."""
        return BlobSource(blobs, self.meter, self.clock, self.jitter, self.rate)


@attrs.define(eq=False)
class Download:
    """Fetches one blob, tells an audience of its bytes, and stores it.

    :ivar audience: whoever waits for the head, or for more bytes.
    :ivar demand: whether a client waits for it.
    :ivar file: the growing file, once it is open; the owner closes it.
    :ivar resumed_at: the bytes of an earlier attempt that it began with.
    """

    digest: Digest
    _source: IBlobService
    _context: DownloadContext
    state: FillState = attrs.field(factory=FillState)
    audience: Audience = attrs.field(factory=Audience)
    demand: Demand = attrs.field(factory=Demand)
    file: IFileReader | None = None
    resumed_at: int = 0
    _partial: IPartialBlob | None = None
    _first_reader: IRemoteBlobReader | None = None
    _checkpointing: bool = False
    _reservation: IReservation | None = None
    _kept: int = 0
    _stall: StallClock = attrs.field(init=False)
    _log = Logger()

    def __attrs_post_init__(self) -> None:
        self._stall = StallClock(self._context.clock, self._context.stall_seconds)

    @property
    def passing(self) -> Passing:
        """Return what becomes of it if it cannot be stored."""
        return self._context.passing

    @property
    def blob_source(self) -> BlobSource:
        """Return where it comes from, for whoever gets it without a file."""
        return self._context.source_of(self._source)

    @deferred
    async def fetch(self) -> None:
        """Download and verify; the audience then has the end as well.

        Fails as the upstream or the disk does. Cancelling stops it; what is there waits
        for :meth:`keep` or :meth:`clean_up`.
        """
        await self._prepare()
        await self._fetch_verified()

    @deferred
    async def commit(self) -> Descriptor:
        """Store what was fetched; fires with what is stored."""
        assert self._partial is not None
        return await self._partial.commit(
            provisional=Descriptor(self.digest, self.state.size)
        )

    @deferred
    async def _prepare(self) -> None:
        """Open the growing file.

        Without an earlier attempt the upstream comes first: for a blob that it lacks,
        nothing touches the disk.
        """
        if not await self._context.partials.has(digest=self.digest):
            opened = await self._source.open(digest=self.digest)
            self._first_reader = cast(IRemoteBlobReader, opened)
        try:
            if self._first_reader is not None:
                await self._reserve(self._first_reader.descriptor.size)
            self._partial = await self._context.partials.open(digest=self.digest)
            self.file = await self._partial.reader()
            if self._reservation is None:
                known = self._partial.resumed
                await self._reserve(None if known is None else known.size)
        except BaseException:
            if self._first_reader is not None:
                self._first_reader.close()
            raise
        self.resumed_at = self._partial.size

    @deferred
    async def _reserve(self, size: int | None) -> None:
        """Wait for room; fail with ``CacheFull`` if there is none.

        :param size: as announced; the one that a manifest claims if it is not known.
        """
        wanted = self.state.expected if size is None else size
        self._reservation = await self._context.room.reserve(
            digest=self.digest, size=wanted or 0
        )

    def release(self) -> None:
        """Give the room back that is not used; the last thing to do."""
        if self._reservation is not None:
            self._reservation.release(kept=self._kept)

    @deferred
    async def _fetch_verified(self) -> None:
        """Download and verify; retry once if bytes of an earlier attempt were wrong.

        The retry is possible only before any byte was sent to a client.
        """
        try:
            await self._fetch()
        except (DigestInvalid, SizeInvalid):
            if not self.resumed_at or self.audience.has_head:
                raise
            await self._restart()
            await self._fetch()

    @deferred
    async def _fetch(self) -> None:
        assert self._partial is not None
        await self._stall.watch(self._download(self._partial))
        await self._release_end(self._partial)

    @deferred
    async def _restart(self) -> None:
        assert self._partial is not None and self.file is not None
        self._log.info(
            "partial blob {digest} does not match; downloading it from the start",
            digest=str(self.digest),
        )
        self.file.close()
        await self._partial.cancel()
        self.state, self.resumed_at = FillState(expected=self.state.expected), 0
        self._partial = await self._context.partials.open(digest=self.digest)
        self.file = await self._partial.reader()

    @deferred
    async def _download(self, partial: IPartialBlob) -> None:
        self._resume(partial)
        delays = list(backoff(8, 0.5, 8.0, self._context.jitter))
        while True:
            try:
                await self._fetch_rest(partial)
                return
            except (DigestInvalid, SizeInvalid):
                raise
            except Exception as error:
                # Before the head, the client has already waited through the retries
                # of the remote room.
                begun = self.audience.has_head
                attempt = self.state.next_attempt(error) if begun else None
                if attempt is None:
                    raise
                self._log.info(
                    "download of {digest} broke off at {size} bytes: {error}; retrying",
                    digest=str(self.digest),
                    size=self.state.written,
                    error=str(error),
                )
                asked = getattr(error, "retry_after", None) or 0.0
            await deferLater(
                self._context.clock, max(delays[attempt], min(asked, MAX_WAIT))
            )

    def _resume(self, partial: IPartialBlob) -> None:
        state = self.state
        state.written = state.checkpointed = partial.size
        if partial.resumed is not None and partial.size:
            state.size = partial.resumed.size
            state.validator = partial.resumed.validator

    @deferred
    async def _fetch_rest(self, partial: IPartialBlob) -> None:
        if self.state.is_complete:
            # An earlier process fetched it all; only access is checked. The rest is
            # sent once the digest matches.
            await self._source.stat(digest=self.digest)
            return
        reader = await self._open()
        try:
            await self._receive(reader, partial)
        finally:
            reader.close()

    @deferred
    async def _open(self) -> IRemoteBlobReader:
        first, self._first_reader = self._first_reader, None
        if first is not None:
            return first
        written = self.state.written
        if self.state.can_resume and IBlobResumer.providedBy(self._source):
            self._context.meter.count(Count.RESUMED, "blob")
            source = cast(IBlobResumer, self._source)
            reader = await source.open_from(
                digest=self.digest, offset=written, validator=self.state.validator
            )
        else:
            reader = await self._source.open(digest=self.digest)
        return cast(IRemoteBlobReader, reader)

    @deferred
    async def _receive(self, reader: IRemoteBlobReader, partial: IPartialBlob) -> None:
        size, start = reader.descriptor.size, reader.start
        if not self.state.accepts_size(size):
            raise SizeInvalid({"announced": size, "before": self.state.size})
        self.state.size = self.state.size if size is None else size
        self.state.validator = reader.validator or self.state.validator
        await self._reserve_more(size)
        self.audience.announce()
        skip = self.state.written - start
        progressed = in_context(self._progress)
        pace = PacedBody(self._context.rate, self._stall.hold, self.demand)
        intake = Intake(partial, skip, progressed, self._stall.skipped, pace)
        try:
            await reader.read(consumer=intake, offset=start)
        finally:
            pace.close()
            self._context.meter.count(Count.PULLED_BYTES, "blob", intake.received)
            # Raises the disk's error, if that stopped the body.
            await partial.flush()
            self._progress()
        if self.state.size is not None and not self.state.is_complete:
            raise UpstreamFailed({"reason": "ended early"})

    @deferred
    async def _reserve_more(self, size: int | None) -> None:
        """Wait for room if the size was not known, or was another one."""
        reservation = self._reservation
        if reservation is not None and size is not None and size > reservation.size:
            await reservation.grow(size=size)

    @deferred
    async def _release_end(self, partial: IPartialBlob) -> None:
        """Verify the digest and release the end; see Note [Served before stored]
        in :mod:`txregistry.proxy.fill`.
        """
        await partial.verify(provisional=Descriptor(self.digest, self.state.size))
        self.state.size = self.state.written = partial.size
        self.state.verified = True
        self.audience.announce()
        self.audience.wake(self.state)

    def _progress(self) -> None:
        assert self._partial is not None
        if self._partial.size > self.state.written:
            self._stall.progressed()
        self.state.written = self._partial.size
        if self._reservation is not None:
            self._reservation.wrote(size=self.state.written)
        self.audience.wake(self.state)
        if self.state.wants_checkpoint and not self._checkpointing:
            self._checkpointing = True
            self._checkpoint().addErrback(in_context(self._log_no_checkpoint))

    def _log_no_checkpoint(self, failure: Failure) -> None:
        # The next flush fails the same way and ends the fill; this only logs.
        self._log.warn(
            "checkpoint of blob {digest} failed: {error}",
            digest=str(self.digest),
            error=str(failure.value),
        )

    @deferred
    async def _checkpoint(self) -> None:
        assert self._partial is not None
        offset = self._partial.size
        try:
            await self._partial.checkpoint(
                state=FillCheckpoint(offset, self.state.size, self.state.validator)
            )
            self.state.checkpointed = offset
        finally:
            self._checkpointing = False

    @deferred
    async def clean_up(self, error: BaseException) -> None:
        """Keep what was fetched if an error leaves it worth that, else delete it.

        Never fails: an error is logged.
        """
        if keeps_partial(error, self.state.written):
            await self.keep()
        elif self._partial is not None:
            await self._log_failure(self._partial.cancel())

    @deferred
    async def keep(self) -> None:
        """Make a checkpoint, for a later attempt to resume. Never fails."""
        if self._partial is not None:
            self._kept = max(self.state.size or 0, self._partial.size)
            await self._log_failure(self._checkpoint())
            await self._log_failure(self._partial.close())

    @deferred
    async def _log_failure(self, step: Deferred[None]) -> None:
        try:
            await step
        except Exception as error:
            message = "cleanup after the download of blob {digest} failed: {error}"
            self._log.warn(message, digest=str(self.digest), error=str(error))
