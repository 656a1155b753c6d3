"""All current fills: a request for a blob joins its fill, or starts one."""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults

from txregistry.flow.context import client_share, named
from txregistry.flow.deferred import deferred
from txregistry.flow.flights import Flights
from txregistry.interfaces.blobs import IBlobReader, IBlobService
from txregistry.interfaces.fills import IDownloadClaims
from txregistry.interfaces.observe import Count
from txregistry.interfaces.tracing import ITracer, SpanKind, current_span
from txregistry.proxy.claimed_sizes import ClaimedSizes
from txregistry.proxy.claims import OneNode
from txregistry.proxy.download import Download, DownloadContext
from txregistry.proxy.fill import Fill
from txregistry.proxy.passed import BlobSource, open_passed
from txregistry.proxy.passing import RETRY_SECONDS, Passing
from txregistry.proxy.state import FillState
from txregistry.proxy.waiting import WaitingBlobs
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import CacheFull, RegistryError, UpstreamUnavailable
from txregistry.spec.reference import RepositoryName

#: Concurrent downloads.
MAX_FILLS = 32

Adopt = Callable[[RepositoryName, Descriptor], Deferred[None]]

#: The fills of all upstreams of a cache, by digest.
RunningFills = dict[Digest, Fill]


@attrs.define(eq=False, slots=False)
class Fills(Service):
    """The fills of one upstream.

    :param fills: those of all upstreams: a blob is downloaded once, from whichever was
        asked first, and given to those whose own upstream has it as well.
    :ivar sizes: sizes that the upstream has claimed.
    """

    _context: DownloadContext
    _max_fills: int = MAX_FILLS
    _fills: RunningFills = attrs.field(factory=dict)
    _running: dict[Digest, Deferred[None]] = attrs.field(factory=dict)
    _access: Flights[tuple[RepositoryName, Digest], Descriptor] = attrs.field(
        factory=Flights
    )
    _queue: WaitingBlobs = attrs.field(factory=WaitingBlobs)
    _tracer: ITracer | None = None
    _claims: IDownloadClaims = attrs.field(factory=OneNode)
    sizes: ClaimedSizes = attrs.field(factory=ClaimedSizes)

    def find(self, digest: Digest) -> Fill | None:
        """Return the current fill of a digest, if there is one."""
        return self._fills.get(digest)

    def limit(self, stall_seconds: float, max_fills: int) -> None:
        """Change the limits of new fills; waiting ones start if there is room."""
        self._context = attrs.evolve(self._context, stall_seconds=stall_seconds)
        self._max_fills = max_fills
        self._wake_waiting()

    def forget(self) -> None:
        """Forget what the upstream has confirmed: it, or the credentials, changed.

        Current fills continue, but a request that joins one is confirmed anew.
        """
        self.sizes, self._access = ClaimedSizes(), Flights()
        for fill in self._fills.values():
            fill.confirmed.clear()

    @deferred
    async def join(
        self, name: RepositoryName, digest: Digest, source: IBlobService, adopt: Adopt
    ) -> IBlobReader | None:
        """Wait for the head of a blob and follow its fill.

        :param source: where to download from, if no fill is under way.
        :return: fires with a follower, or with ``None`` if the fill ended while the
            upstream was asked whether this repository has the blob, or was failing, or
            if another node has ended its fill: then the caller looks again. Fails as
            the upstream does.
        """
        if digest not in self._fills and not await self._claims.acquire(digest=digest):
            self._context.meter.count(Count.COALESCED, "blob")
            return None
        await self._wait_for_slot(digest)
        fill = self._fills.get(digest)
        if fill is None:
            fill = self._start(name, digest, source, adopt)
        elif fill.has_failed:
            # Its failure is not ours: retry when it has cleaned up.
            await fill.ended()
            return None
        else:
            self._context.meter.count(Count.COALESCED, "blob")
            asked = self._access
            await self.confirm(name, digest, source)
            if self._fills.get(digest) is not fill or self._access is not asked:
                return None
            fill.confirmed.add(name)
            return await self._follow_existing(fill)
        return await fill.follow()

    @deferred
    async def _wait_for_slot(self, digest: Digest) -> None:
        """Wait until a download may begin, if one is needed.

        A fill without waiters gives up its place; its bytes are kept.
        """
        while digest not in self._fills and len(self._running) >= self._max_fills:
            turn = self._queue.wait(client_share.get(), digest)
            self._cancel_unwatched()
            await turn

    def _cancel_unwatched(self) -> None:
        for digest, work in self._running.items():
            fill = self._fills[digest]
            if fill.is_unwatched and not fill.has_failed:
                work.cancel()
                return

    @deferred
    async def _follow_existing(self, fill: Fill) -> IBlobReader | None:
        """Follow a fill that another client began.

        That client's repository may have been refused the blob by the upstream: this is
        no answer for this client, which looks again.
        """
        try:
            return await fill.follow()
        except RegistryError:
            if self._fills.get(fill.digest) is fill:
                await fill.ended()
            return None

    @deferred
    async def confirm(
        self, name: RepositoryName, digest: Digest, source: IBlobService
    ) -> Descriptor:
        """Ask the upstream whether a repository has a blob; one request for all.

        :return: fires with the upstream's description of the blob; fails with
            ``BlobUnknown`` or as the upstream does.
        """
        fill = self._fills.get(digest)
        if fill is not None and name in fill.confirmed:
            return Descriptor(digest, fill.state.size)
        described = await self._access.join(
            (name, digest), lambda: source.stat(digest=digest)
        )
        self.sizes.remember(name, [described])
        return described

    @property
    def passing(self) -> Passing:
        """Return what becomes of what cannot be stored."""
        return self._context.passing

    @deferred
    async def pass_through(self, digest: Digest, source: IBlobService) -> IBlobReader:
        """Fire with a reader that stores nothing; fails as the upstream does.

        The caller has found out that the blob cannot be stored.
        """
        context = self._context
        found = BlobSource(source, context.meter, context.clock, context.jitter)
        return await open_passed(found, Descriptor(digest, None))

    @deferred
    async def stopService(self) -> None:
        """Checkpoint and end all fills; complete blobs are stored first."""
        super().stopService()
        running = dict(self._running)
        for digest, work in running.items():
            fill = self._fills[digest]
            # A failed fill is cleaning up, and must finish that.
            if not (fill.state.verified or fill.has_failed):
                work.cancel()
        await gatherResults(running.values())

    def _start(
        self, name: RepositoryName, digest: Digest, source: IBlobService, adopt: Adopt
    ) -> Fill:
        if not self.running:
            raise UpstreamUnavailable({"reason": "shutting down"}, 1.0)
        self._expect_room()
        download = Download(
            digest,
            source,
            self._context,
            FillState(expected=self.sizes.take(name, digest)),
        )
        fill = Fill({name}, download, adopt, self._context.clock, self._context.meter)
        self._fills[digest] = fill
        self._claims.hold(digest=digest)
        work = named(f"fill:{digest}", lambda: self._run(fill))()
        self._running[digest] = work
        work.addBoth(self._on_end, digest)
        return fill

    def _expect_room(self) -> None:
        """Begin no download whose bytes the disk would refuse.

        :raise CacheFull: it has done so a moment ago.
        """
        context, now = self._context, self._context.clock.seconds()
        if context.passing.expects_refusal(now):
            error = CacheFull({"reason": "the disk refuses"}, RETRY_SECONDS)
            context.passing.tell(context.meter, "blob", error, now)
            raise error

    def _run(self, fill: Fill) -> Deferred[None]:
        if self._tracer is None:
            return fill.run()
        about = {"txregistry.digest": str(fill.digest)}
        span = self._tracer.begin("fill", SpanKind.INTERNAL, about)
        current_span.set(span)

        def end(result: None) -> None:
            span.note({"txregistry.bytes": fill.state.written})
            span.end("failed" if fill.has_failed else "")

        return fill.run().addCallback(end)

    def _on_end(self, result: None, digest: Digest) -> None:
        self._running.pop(digest, None)
        self._claims.release(digest=digest)
        self._fills.pop(digest).notify_ended()
        self._wake_waiting()

    def _wake_waiting(self) -> None:
        # A woken waiter begins at once, or has left.
        while self._queue and len(self._running) < self._max_fills:
            self._queue.wake_next()
