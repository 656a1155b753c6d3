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

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IConsumer, IReactorTime
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from txregistry.flow.deferred import deferred
from txregistry.flow.demand import Demand, current_demand
from txregistry.flow.waiters import Waiters
from txregistry.interfaces.blobs import IBlobReader
from txregistry.interfaces.driver import refused_by_disk
from txregistry.interfaces.observe import Count, IMeter
from txregistry.proxy.download import Download
from txregistry.proxy.follower import Follower
from txregistry.proxy.passed import Passage
from txregistry.proxy.passing import explained
from txregistry.proxy.state import FillState, keeps_partial
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import (
    CacheFull,
    DigestInvalid,
    RegistryError,
    SizeInvalid,
    UpstreamFailed,
)
from txregistry.spec.reference import RepositoryName

_REFUSALS = frozenset((401, 403, 404))


@attrs.define(eq=False)
class Fill:
    """One download; see Note [Fill and followers].

    :ivar confirmed: the repositories whose access an upstream has confirmed, and the
        fills of that upstream.
    :ivar gave_way: it was ended for one that a client waits for, and can be resumed.
    :ivar broke_off: it has failed for now, after bytes have come that are kept.
    :param adopt: links the finished blob into a repository.
    """

    confirmed: dict[RepositoryName, object]
    _download: Download
    _adopt: Callable[[RepositoryName, Descriptor], Deferred[None]]
    _clock: IReactorTime
    _meter: IMeter
    _end_waiters: Waiters[None] = attrs.field(factory=Waiters)
    _followers: int = 0
    _has_ended: bool = False
    _started_at: float = 0.0
    gave_way: bool = False
    broke_off: bool = False
    _log = Logger()

    @property
    def digest(self) -> Digest:
        """Return which blob it is."""
        return self._download.digest

    @property
    def state(self) -> FillState:
        """Return how far it has come."""
        return self._download.state

    @deferred
    async def run(self) -> None:
        """Download, verify, commit, link. Never fails: an error goes to the waiters.

        Cancelling makes a checkpoint, and fails the waiters too.
        """
        self._started_at = self._clock.seconds()
        self._meter.fills(1)
        try:
            await self._download.fetch()
            await self._store()
            self._log.info(
                "blob {digest} of {repository} downloaded: {size} bytes"
                " in {seconds:.1f} s",
                digest=str(self.digest),
                repository=", ".join(sorted(map(str, self.confirmed))[:3]),
                size=self.state.written,
                resumed_at=self._download.resumed_at,
                seconds=self._clock.seconds() - self._started_at,
            )
        except CancelledError:
            self._fail(Failure(UpstreamFailed({"reason": "shutting down"})))
            await self._download.keep()
        except Exception as failed:
            error = explained(failed)
            self._report(error)
            self.broke_off = keeps_partial(error, self.new_bytes)
            self._fail(Failure(error))
            await self._download.clean_up(error)
        finally:
            self._meter.fills(-1)
            self._has_ended = True
            self._close_unread()
            if not (self.has_failed and self._followers):
                self._download.release()

    def _report(self, error: Exception) -> None:
        if isinstance(error, CacheFull):
            now = self._clock.seconds()
            if refused_by_disk(error):
                self._download.passing.refused(now)
            self._download.passing.tell(self._meter, "blob", error, now)
            return
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
        return self._download.audience.failure is not None

    @property
    def failure(self) -> Failure | None:
        """Return why it has failed."""
        return self._download.audience.failure

    @property
    def mean_rate(self) -> float:
        """Return the bytes per second since it was started; 0 if that is just now."""
        passed = self._clock.seconds() - self._started_at
        return self.new_bytes / passed if passed > 0 else 0.0

    @property
    def new_bytes(self) -> int:
        """Count the bytes that came, without those that were here before."""
        return max(0, self.state.written - self._download.resumed_at)

    @property
    def demand(self) -> Demand:
        """Return whether a client waits for it."""
        return self._download.demand

    @property
    def followers(self) -> int:
        """Return how many clients get it while it comes."""
        return self._followers

    @property
    def is_unwatched(self) -> bool:
        """Return whether no client waits for it, and bytes are missing."""
        return not self.state.verified and not self.demand.is_awaited

    def forget(self, by: object) -> None:
        """Forget what one upstream has confirmed.

        :param by: the fills of that upstream.
        """
        kept = {
            name: fills for name, fills in self.confirmed.items() if fills is not by
        }
        self.confirmed = kept

    def ended(self) -> Deferred[None]:
        """Wait until it has ended and cleaned up; never fails."""
        return self._end_waiters.wait()

    def notify_ended(self) -> None:
        """Fire the waiters of :meth:`ended`."""
        self._end_waiters.fire(None)

    def head(self) -> Deferred[None]:
        """Fire when the upstream has sent the blob's head, or fail as the fill."""
        return self._download.audience.head()

    def visible_past(self, offset: int) -> Deferred[int]:
        """Fire with the readable size, as soon as that is past an offset.

        At the end it fires with the end, even if that is not past the offset.
        """
        return self._download.audience.visible_past(offset, self.state)

    @deferred
    async def _rescue(self, consumer: IConsumer, offset: int, end: int | None) -> None:
        """Send the rest from the upstream; see Note [Passed through]
        in :mod:`txregistry.proxy.passed`.
        """
        failure = self._download.audience.failure
        if not self._download.passing.is_allowed and failure is not None:
            failure.raiseException()
        descriptor = Descriptor(self.digest, self.state.size)
        source, prefix = self._download.blob_source, self._download.file
        await Passage(source, descriptor, prefix=prefix).send(consumer, offset, end)

    @deferred
    async def follow(self) -> IBlobReader:
        """Fire with a reader once the head, and a byte after it, are there.

        A client is waited for until it closes the reader.
        """
        demand = self.demand if current_demand.get().is_awaited else Demand()
        demand.join()
        try:
            await self.head()
            await self.visible_past(0)
        except BaseException:
            demand.leave()
            raise
        file = self._download.file
        assert file is not None
        self._followers += 1
        descriptor = Descriptor(self.digest, self.state.size)
        return Follower(
            descriptor,
            file,
            self.visible_past,
            lambda: self._leave(demand),
            self._rescue,
        )

    def _leave(self, demand: Demand) -> None:
        demand.leave()
        self._followers -= 1
        self._close_unread()

    def _close_unread(self) -> None:
        # One open file serves all followers, even after it is renamed.
        file = self._download.file
        if self._has_ended and not self._followers and file is not None:
            file.close()
            # Of a failed one the file was deleted, and took its room until now.
            self._download.release()

    @deferred
    async def _store(self) -> None:
        """Commit the blob, and link it in every confirmed repository.

        If there is none any more it is kept as a partial blob: who asks next resumes
        it, which asks the upstream for access. Stored, no ledger would know of it.
        """
        confirmed = set(self.confirmed)
        if not confirmed:
            await self._download.keep()
            return
        descriptor = await self._download.commit()
        linked: set[RepositoryName] = set()
        # Those that were confirmed when it was stored have it, whatever came since.
        while missing := (confirmed | self.confirmed.keys()) - linked:
            for name in sorted(missing):
                await self._adopt(name, descriptor)
                linked.add(name)

    def _fail(self, failure: Failure) -> None:
        if failure.check(DigestInvalid, SizeInvalid):
            # This is not the client's mistake.
            facts = {"reason": "sent content that does not match its digest"}
            failure = Failure(UpstreamFailed(facts))
        self._download.audience.fail(failure)
