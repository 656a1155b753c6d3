"""All current fills: a request for a blob joins its fill, or starts one."""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, gatherResults

from txregistry.flow.context import client_share, named
from txregistry.flow.deferred import deferred
from txregistry.flow.demand import Demand, current_demand, unawaited
from txregistry.flow.flights import Flights
from txregistry.interfaces.blobs import IBlobReader, IBlobService
from txregistry.interfaces.fills import IDownloadClaims
from txregistry.interfaces.observe import Count
from txregistry.interfaces.tracing import ITracer, SpanKind, current_span
from txregistry.proxy.claimed_sizes import ClaimedSizes
from txregistry.proxy.claims import OneNode
from txregistry.proxy.download import Download, DownloadContext
from txregistry.proxy.download_turns import CONNECTIONS, DownloadTurns
from txregistry.proxy.fill import Fill
from txregistry.proxy.passed import open_passed
from txregistry.proxy.passing import Passing
from txregistry.proxy.state import FillState
from txregistry.spec.descriptor import Descriptor
from txregistry.spec.digest import Digest
from txregistry.spec.errors import RegistryError, UpstreamUnavailable
from txregistry.spec.reference import RepositoryName

Adopt = Callable[[RepositoryName, Descriptor], Deferred[None]]

#: The fills of all upstreams of a cache, by digest.
RunningFills = dict[Digest, Fill]


def written(fills: RunningFills, digest: Digest) -> int | None:
    """Return how many bytes of a download are here; ``None`` without one."""
    fill = fills.get(digest)
    return None if fill is None else fill.state.written


@attrs.define(eq=False, slots=False)
class Fills(Service):
    """The fills of one upstream.

    :param fills: those of all upstreams: a blob is downloaded once, from whichever was
        asked first, and given to those whose own upstream has it as well.
    :ivar sizes: sizes that the upstream has claimed.
    """

    _context: DownloadContext
    _turns: DownloadTurns = attrs.field(factory=DownloadTurns)
    _fills: RunningFills = attrs.field(factory=dict)
    _running: dict[Digest, Deferred[None]] = attrs.field(factory=dict)
    _access: Flights[tuple[RepositoryName, Digest], Descriptor] = attrs.field(
        factory=Flights
    )
    _fetchers: dict[Digest, int] = attrs.field(factory=dict)
    _tracer: ITracer | None = None
    _claims: IDownloadClaims = attrs.field(factory=OneNode)
    _is_retired: bool = False
    sizes: ClaimedSizes = attrs.field(factory=ClaimedSizes)

    @property
    def under_way(self) -> list[Fill]:
        """Return the current fills of this upstream."""
        return list(self._turns.running.values())

    def find(self, digest: Digest) -> Fill | None:
        """Return the current fill of a digest, if there is one."""
        return self._fills.get(digest)

    def limit(
        self,
        stall_seconds: float,
        max_fills: int,
        rate: float = 0.0,
        connections: int = CONNECTIONS,
    ) -> None:
        """Change the limits of new fills; waiting ones start if there is room.

        :param connections: that the upstream takes; one of several is kept for
            manifests.
        :param rate: bytes per second of all fills, also of current ones; 0 for none.
        """
        self._context.rate.follow(rate)
        self._context = attrs.evolve(self._context, stall_seconds=stall_seconds)
        self._turns.limit(max_fills, connections)

    def retire(self) -> None:
        """Leave the parent service when the last fill has ended; begin none then."""
        self._is_retired = True
        self._leave_if_idle()

    def _leave_if_idle(self) -> None:
        if self._is_retired and not self._turns and self.parent is not None:
            self.disownServiceParent()

    def forget(self) -> None:
        """Forget what the upstream has confirmed: it, or the credentials, changed.

        Current fills continue, but a request that joins one is confirmed anew. What
        other upstreams have confirmed stays.
        """
        self.sizes, self._access = ClaimedSizes(), Flights()
        for fill in self._fills.values():
            fill.forget(self)

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
        if not await self._await_turn(name, digest):
            self._context.meter.count(Count.COALESCED, "blob")
            return None
        fill = self._fills.get(digest)
        if fill is None:
            return await self._start_awaited(name, digest, source, adopt)
        if fill.has_failed:
            # Its failure is not ours: retry when it has cleaned up.
            await fill.ended()
            return None
        self._context.meter.count(Count.COALESCED, "blob")
        asked = self._access
        await self.confirm(name, digest, source)
        if self._fills.get(digest) is not fill or self._access is not asked:
            return None
        fill.confirmed[name] = self
        return await self._follow_existing(fill)

    @unawaited
    @deferred
    async def fetch(
        self, name: RepositoryName, digest: Digest, source: IBlobService, adopt: Adopt
    ) -> None:
        """Have a blob downloaded that no client waits for.

        It waits until no client's download does, has what these leave of the rate, and
        gives its place to one that needs it; then it waits again, and is resumed, as it
        is when it breaks off. Such downloads use at most half of the connections.

        :param source: where to download from, if no fill is under way.
        :return: fires when a fill has ended, or that of another node: the caller looks
            what is stored. Fails as the upstream does. Cancelling ends the fill, if
            nobody else wants it; what has come is kept.
        """
        while True:
            if not await self._await_turn(name, digest):
                return
            joined = self._fills.get(digest)
            fill = joined or self._start(name, digest, source, adopt, Demand())
            await self._end_of(fill)
            # On a bad link it goes on as long as it moves.
            if not (fill.gave_way or (joined is None and fill.broke_off)):
                break
        # Another repository may have been refused it, which is no answer for this one.
        if joined is None and fill.failure is not None:
            fill.failure.raiseException()

    @deferred
    async def _end_of(self, fill: Fill) -> None:
        """Wait for the end of a fill; end it, if whoever waits leaves as the last."""
        self._fetchers[fill.digest] = self._fetchers.get(fill.digest, 0) + 1
        try:
            await fill.ended()
        except CancelledError:
            work = self._running.get(fill.digest)
            is_last = self._fetchers[fill.digest] == 1
            if work is not None and is_last and fill.is_unwatched:
                work.cancel()
            raise
        finally:
            self._fetchers[fill.digest] -= 1
            if not self._fetchers[fill.digest]:
                del self._fetchers[fill.digest]

    @deferred
    async def _start_awaited(
        self, name: RepositoryName, digest: Digest, source: IBlobService, adopt: Adopt
    ) -> IBlobReader:
        """Start a fill and follow it."""
        demand, is_awaited = Demand(), current_demand.get().is_awaited
        if is_awaited:
            demand.join()
        following = self._start(name, digest, source, adopt, demand).follow()
        if is_awaited:
            demand.leave()  # the follower has joined
            if self._turns.are_too_many():
                self._cancel_unwatched()
        return await following

    @deferred
    async def _await_turn(self, name: RepositoryName, digest: Digest) -> bool:
        """Wait until a download is under way, or may begin.

        :return: fires with false if another node has ended its own.
        """
        if digest in self._fills:
            return True
        if not await self._claims.acquire(digest=digest):
            return False
        try:
            await self._wait_for_slot(name, digest)
        except BaseException:
            self._give_claim_back(digest)
            raise
        return True

    def _give_claim_back(self, digest: Digest) -> None:
        """Let other nodes download what nobody here will."""
        if digest not in self._fills and digest not in self._turns:
            self._claims.release(digest=digest)
        self._leave_if_idle()

    @deferred
    async def _wait_for_slot(self, name: RepositoryName, digest: Digest) -> None:
        """Wait until a download may begin, if one is needed.

        A fill without waiters gives up its place; its bytes are kept.
        """
        is_awaited = current_demand.get().is_awaited
        while digest not in self._fills and not self._turns.has_room(is_awaited):
            client = client_share.get()
            turn = self._turns.wait(client, str(name), digest, is_awaited)
            if is_awaited:
                self._cancel_unwatched()
            try:
                await turn
            finally:
                self._turns.come(digest)

    def _cancel_unwatched(self) -> None:
        fill = self._turns.find_unwatched()
        if fill is not None:
            fill.gave_way = True
            self._running[fill.digest].cancel()

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
        found = self._context.source_of(source)
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
        self,
        name: RepositoryName,
        digest: Digest,
        source: IBlobService,
        adopt: Adopt,
        demand: Demand,
    ) -> Fill:
        try:
            self._check_may_start()
        except RegistryError:
            self._give_claim_back(digest)
            raise
        download = Download(
            digest,
            source,
            self._context,
            FillState(expected=self.sizes.take(name, digest)),
            demand=demand,
        )
        context, confirmed = self._context, dict[RepositoryName, object]({name: self})
        fill = Fill(confirmed, download, adopt, context.clock, context.meter)
        self._fills[digest] = fill
        self._claims.hold(digest=digest)
        work = named(f"fill:{digest}", lambda: self._run(fill))()
        self._running[digest], self._turns.running[digest] = work, fill
        work.addBoth(self._on_end, digest)
        # A client may have begun one that waited for nobody.
        self._turns.wake(digest)
        return fill

    def _check_may_start(self) -> None:
        """Begin no download that nobody would end, or whose bytes the disk refuses.

        :raise UpstreamUnavailable: this service has stopped.
        :raise CacheFull: the disk has refused some a moment ago.
        """
        if not self.running:
            raise UpstreamUnavailable({"reason": "shutting down"}, 1.0)
        self.passing.check(self._context.meter, self._context.clock.seconds())

    def _run(self, fill: Fill) -> Deferred[None]:
        current_demand.set(fill.demand)
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
        del self._running[digest], self._turns.running[digest]
        self._claims.release(digest=digest)
        self._fills.pop(digest).notify_ended()
        self._turns.wake_waiting()
        self._leave_if_idle()
