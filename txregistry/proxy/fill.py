"""The fill: one download of one blob, for any number of waiters.

Note [Fill and followers]. A fill writes one growing file and belongs to no client. Each
client has a :class:`Follower` with its own offset, which reads that file as far as it
is visible. Only the disk pauses the upstream; a slow client pauses only its own
connection, and a client that leaves closes its follower.

Note [Served before stored]. A cache does not promise that its content survives a crash.
So the end of a blob is sent as soon as its digest matches, and the blob is synced,
moved to its place and linked after that. Clients that arrive meanwhile follow the same
open file. A crash in between leaves the partial blob of the last checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from txregistry.flow.context import in_context
from txregistry.flow.deferred import deferred
from txregistry.flow.retry import backoff
from txregistry.flow.waiters import Waiters
from txregistry.interfaces.blobs import (
    IBlobReader,
    IBlobResumer,
    IBlobService,
    IRemoteBlobReader,
)
from txregistry.interfaces.files import IFileReader
from txregistry.interfaces.fills import FillCheckpoint, IPartialBlob, IPartialBlobs
from txregistry.interfaces.observe import Count, IMeter
from txregistry.proxy.audience import Audience
from txregistry.proxy.follower import Follower
from txregistry.proxy.intake import Intake
from txregistry.proxy.stall import StallClock
from txregistry.proxy.state import FillState, keeps_partial
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import (
    DigestInvalid,
    RegistryError,
    SizeInvalid,
    UpstreamFailed,
)
from txregistry.spec.reference import RepositoryName

#: Longest wait in seconds that the upstream may ask for in the middle of a blob.
MAX_WAIT = 60.0

_REFUSALS = frozenset((401, 403, 404))


@attrs.define(eq=False)
class Fill:
    """One download; see Note [Fill and followers].

    :ivar confirmed: the repositories whose access the upstream has confirmed.
    :param adopt: links the finished blob into a repository.
    :param stall_seconds: it ends after this long without a new byte, resumed or not.
    """

    digest: Digest
    confirmed: set[RepositoryName]
    _source: IBlobService
    _partials: IPartialBlobs
    _adopt: Callable[[RepositoryName, Descriptor], Deferred[None]]
    _clock: IReactorTime
    _jitter: Callable[[], float]
    _meter: IMeter
    _stall_seconds: float
    state: FillState = attrs.field(factory=FillState)
    _partial: IPartialBlob | None = None
    _audience: Audience = attrs.field(factory=Audience)
    _end_waiters: Waiters[None] = attrs.field(factory=Waiters)
    _first_reader: IRemoteBlobReader | None = None
    _file: IFileReader | None = None
    _followers: int = 0
    _has_ended: bool = False
    _checkpointing: bool = False
    _stall: StallClock = attrs.field(init=False)
    _log = Logger()

    def __attrs_post_init__(self) -> None:
        self._stall = StallClock(self._clock, self._stall_seconds)

    @deferred
    async def run(self) -> None:
        """Download, verify, commit, link. Never fails: an error goes to the waiters.

        Cancelling makes a checkpoint, and fails the waiters too.
        """
        started_at, start = self._clock.seconds(), 0
        self._meter.fills(1)
        try:
            start = await self._prepare()
            await self._fetch_verified(start)
            await self._store()
            self._log.info(
                "blob {digest} downloaded: {size} bytes in {seconds:.1f} s",
                digest=str(self.digest),
                size=self.state.written,
                resumed_at=start,
                seconds=self._clock.seconds() - started_at,
            )
        except CancelledError:
            self._fail(Failure(UpstreamFailed({"reason": "shutting down"})))
            await self._keep_partial()
        except Exception as error:
            self._report(error)
            self._fail(Failure())
            await self._clean_up(error)
        finally:
            self._meter.fills(-1)
            self._has_ended = True
            self._close_unread()

    def _report(self, error: Exception) -> None:
        refused = isinstance(error, RegistryError) and error.status in _REFUSALS
        if not refused:
            self._meter.count(Count.FAILED, "blob")
        # A missing blob is not a failure.
        self._log.emit(
            LogLevel.info if refused else LogLevel.warn,
            "download of blob {digest} failed at {size} bytes: {error}",
            digest=str(self.digest),
            size=self.state.written,
            error=str(error),
        )

    @property
    def has_failed(self) -> bool:
        """Return whether it has ended; it may still be cleaning up."""
        return self._audience.failure is not None

    @property
    def is_unwatched(self) -> bool:
        """Return whether it has begun and has no waiters left."""
        begun = self._audience.has_head and not self.state.verified
        return begun and not self._followers

    def ended(self) -> Deferred[None]:
        """Wait until it has ended and cleaned up; never fails."""
        return self._end_waiters.wait()

    def notify_ended(self) -> None:
        """Fire the waiters of :meth:`ended`."""
        self._end_waiters.fire(None)

    def head(self) -> Deferred[None]:
        """Fire when the upstream has sent the blob's head, or fail as the fill."""
        return self._audience.head()

    def visible_past(self, offset: int) -> Deferred[int]:
        """Fire with the readable size, as soon as that is past an offset.

        At the end it fires with the end, even if that is not past the offset.
        """
        return self._audience.visible_past(offset, self.state)

    @deferred
    async def follow(self) -> IBlobReader:
        """Fire with a reader once the head, and a byte after it, are there."""
        await self.head()
        await self.visible_past(0)
        assert self._file is not None
        self._followers += 1
        descriptor = Descriptor(self.digest, self.state.size)
        return Follower(descriptor, self._file, self.visible_past, self._leave)

    def _leave(self) -> None:
        self._followers -= 1
        self._close_unread()

    def _close_unread(self) -> None:
        # One open file serves all followers, even after it is renamed.
        if self._has_ended and not self._followers and self._file is not None:
            self._file.close()

    @deferred
    async def _prepare(self) -> int:
        """Open the growing file; fire with its size in bytes.

        Without an earlier attempt the upstream comes first: for a blob that it lacks,
        nothing touches the disk.
        """
        if not await self._partials.has(digest=self.digest):
            opened = await self._source.open(digest=self.digest)
            self._first_reader = cast(IRemoteBlobReader, opened)
        try:
            self._partial = await self._partials.open(digest=self.digest)
            self._file = await self._partial.reader()
        except BaseException:
            if self._first_reader is not None:
                self._first_reader.close()
            raise
        return self._partial.size

    @deferred
    async def _fetch_verified(self, start: int) -> None:
        """Download and verify; retry once if bytes of an earlier attempt were wrong.

        The retry is possible only before any byte was sent to a client.
        """
        try:
            await self._fetch()
        except (DigestInvalid, SizeInvalid):
            if not start or self._audience.has_head:
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
        assert self._partial is not None and self._file is not None
        self._log.info(
            "partial blob {digest} does not match; downloading it from the start",
            digest=str(self.digest),
        )
        self._file.close()
        await self._partial.cancel()
        self.state = FillState(expected=self.state.expected)
        self._partial = await self._partials.open(digest=self.digest)
        self._file = await self._partial.reader()

    @deferred
    async def _download(self, partial: IPartialBlob) -> None:
        self._resume(partial)
        delays = list(backoff(8, 0.5, 8.0, self._jitter))
        while True:
            try:
                await self._fetch_rest(partial)
                return
            except (DigestInvalid, SizeInvalid):
                raise
            except Exception as error:
                # Before the head, the client has already waited through the retries
                # of the remote room.
                begun = self._audience.has_head
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
            await deferLater(self._clock, max(delays[attempt], min(asked, MAX_WAIT)))

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
            self._meter.count(Count.RESUMED, "blob")
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
        self._audience.announce()
        skip = self.state.written - start
        progressed = in_context(self._progress)
        intake = Intake(partial, skip, progressed, self._stall.skipped)
        try:
            await reader.read(consumer=intake, offset=start)
        finally:
            self._meter.count(Count.PULLED_BYTES, "blob", intake.received)
            # Raises the disk's error, if that stopped the body.
            await partial.flush()
            self._progress()
        if self.state.size is not None and not self.state.is_complete:
            raise UpstreamFailed({"reason": "ended early"})

    @deferred
    async def _release_end(self, partial: IPartialBlob) -> None:
        """Verify the digest and release the end; see Note [Served before stored]."""
        await partial.verify(provisional=Descriptor(self.digest, self.state.size))
        self.state.size = self.state.written = partial.size
        self.state.verified = True
        self._audience.announce()
        self._audience.wake(self.state)

    @deferred
    async def _store(self) -> None:
        """Commit the blob, and link it in every confirmed repository."""
        assert self._partial is not None
        descriptor = await self._partial.commit(
            provisional=Descriptor(self.digest, self.state.size)
        )
        linked: set[RepositoryName] = set()
        while missing := self.confirmed - linked:
            for name in sorted(missing):
                await self._adopt(name, descriptor)
                linked.add(name)

    def _progress(self) -> None:
        assert self._partial is not None
        if self._partial.size > self.state.written:
            self._stall.progressed()
        self.state.written = self._partial.size
        self._audience.wake(self.state)
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

    def _fail(self, failure: Failure) -> None:
        if failure.check(DigestInvalid, SizeInvalid):
            # This is not the client's mistake.
            facts = {"reason": "sent content that does not match its digest"}
            failure = Failure(UpstreamFailed(facts))
        self._audience.fail(failure)

    @deferred
    async def _clean_up(self, error: BaseException) -> None:
        if keeps_partial(error, self.state.written):
            await self._keep_partial()
        elif self._partial is not None:
            await self._log_failure(self._partial.cancel())

    @deferred
    async def _keep_partial(self) -> None:
        if self._partial is not None:
            await self._log_failure(self._checkpoint())
            await self._log_failure(self._partial.close())

    @deferred
    async def _log_failure(self, step: Deferred[None]) -> None:
        try:
            await step
        except Exception as error:
            message = "cleanup after the download of blob {digest} failed: {error}"
            self._log.warn(message, digest=str(self.digest), error=str(error))
