"""Makes room before something is stored, and keeps the disk from filling.

Note [Making room]. Who wants to store something waits for its turn, and gets a promise
of room for the announced size, which counts from then on. If there is too little, the
blobs that were not used for longest go, but for those that are read, downloaded or
pinned. Before the first one goes they are added up: for a blob that would not fit
anyway nothing is deleted. Parts of blobs that wait for a later download go last. What
others write to the file system is seen every few seconds.

Nothing goes before the tree was scanned once since the start, as what the ledger does
not know might be linked by a local repository.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import attrs
from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from zope.interface import implementer

from txregistry.eviction.candidates import Candidates
from txregistry.eviction.evictor import MeterOf
from txregistry.eviction.freeing import Freeing
from txregistry.eviction.gauge import Gauge
from txregistry.eviction.plan import SpacePlan
from txregistry.eviction.reservations import Reservation, Reservations
from txregistry.flow.context import background
from txregistry.flow.deferred import deferred
from txregistry.interfaces.driver import DriverError
from txregistry.interfaces.eviction import (
    EvictionPreview,
    IEvictionPlan,
    IReservation,
    IRoom,
    ISpaceMeter,
    Shortage,
)
from txregistry.interfaces.expiry import LedgerAway
from txregistry.interfaces.fills import IPartialBlobs
from txregistry.spec.digest import Digest
from txregistry.spec.errors import CacheFull

#: Seconds between two looks at what others write.
LOOK_SECONDS = 5.0

#: Looks after which parts of blobs are measured again, as expiry deletes them as well.
_LOOKS_PER_SCAN = 12

#: Seconds for which blobs are deleted before others may have their turn, and for which
#: one download waits for that.
_SLICE_SECONDS, _WAIT_SECONDS = 1.0, 10.0

#: How often room is made for one download, while others use what was to go.
_ROUNDS = 3


@implementer(IRoom, IEvictionPlan)
@attrs.define(eq=False, slots=False)
class Room(Service):
    """The room of a cache; see Note [Making room].

    :param is_ready: tells whether the tree was scanned.
    :param reservations: shared with whoever asks what is being downloaded.
    """

    _plan: SpacePlan
    _clock: IReactorTime
    _gauge: Gauge
    _candidates: Candidates
    _freeing: Freeing
    _partials: IPartialBlobs
    _is_ready: Callable[[], bool]
    _meter: ISpaceMeter
    _reservations: Reservations
    _turn: DeferredLock = attrs.field(factory=DeferredLock)
    _looks: int = 0
    _loop: LoopingCall = attrs.field(init=False)
    _looping: Deferred[LoopingCall] | None = None
    _log = Logger()

    def __attrs_post_init__(self) -> None:
        self._loop = LoopingCall(self.look)
        self._loop.clock = self._clock

    def startService(self) -> None:
        """Begin to look."""
        super().startService()
        self._looping = self._loop.start(LOOK_SECONDS)

    @deferred
    async def stopService(self) -> None:
        """Stop; a blob that is being deleted is finished first."""
        super().stopService()
        if self._loop.running:
            self._loop.stop()
        if self._looping is not None:
            await self._looping

    def follow(self, plan: SpacePlan, meter_of: MeterOf) -> None:
        """Use other limits; what is too much goes within seconds."""
        self._plan, self._freeing.evictor.meter_of = plan, meter_of

    @deferred
    async def reserve(self, digest: Digest, size: int) -> IReservation:
        """Fire with room for a download; see :class:`IRoom`."""
        made = Reservation(digest, size, self._grow, self._reservations.remove)
        await self._turn.run(lambda: self._admit_new(made))
        return made

    def _admit_new(self, reservation: Reservation) -> Deferred[None]:
        # A part of an earlier download counts already, unless it has gone meanwhile.
        idle = self._reservations.idle.get(reservation.digest, 0)
        return self._admit(reservation, reservation.size - idle, reservation.size)

    def _grow(self, reservation: Reservation, size: int) -> Deferred[None]:
        more = size - reservation.size
        return self._turn.run(lambda: self._admit(reservation, more, size))

    @deferred
    async def _admit(self, reservation: Reservation, more: int, size: int) -> None:
        """Count a reservation once there is room.

        :param more: bytes that are not counted yet.
        """
        await self._make_room_for(more, size, reservation.digest)
        reservation.size = max(size, reservation.size)
        self._reservations.add(reservation)

    @deferred
    async def _make_room_for(self, more: int, size: int, asking: Digest) -> None:
        if not self._plan.has_limits:
            return
        usage = await self._gauge.measure()
        if not self._plan.may_fit(usage, size):
            raise _no_room(size)
        for _ in range(_ROUNDS):
            shortage = self._plan.shortage(usage, more)
            if shortage is None:
                return
            if not await self._try_to_free(shortage, asking):
                break
            usage = await self._gauge.measure()
        if self._plan.shortage(usage, more) is not None:
            raise _no_room(size)

    @deferred
    async def _try_to_free(self, shortage: Shortage, asking: Digest) -> bool:
        """Fire with whether there was enough that may go, and that was deleted.

        :param asking: the digest to be stored. A part of it counts as the beginning of
            its download, so that it stays.
        """
        if not self._is_ready():
            return False
        try:
            if not await self._freeing.is_possible(shortage.size, asking):
                return False
            await self._freeing.run(shortage, _WAIT_SECONDS, asking)
        except (LedgerAway, sqlite3.Error, DriverError) as error:
            self._log.warn("no room can be made: {error}", error=str(error))
            return False
        return True

    @background("room")
    @deferred
    async def look(self) -> None:
        """Measure, and make room if others have taken it; never fails."""
        with self._log.failuresHandled("the room is not looked at"):
            while await self._turn.run(self._look):
                pass  # downloads have had their turns meanwhile

    @deferred
    async def _look(self) -> bool:
        """Make room for a while; fire with whether there is more to delete."""
        if self._looks % _LOOKS_PER_SCAN == 0:
            before = frozenset(self._reservations.idle)
            found = await self._partials.found()
            sizes = {part.digest: part.size for part in found}
            self._reservations.found(sizes, before)
        self._looks += 1
        usage = await self._gauge.measure()
        shortage, is_more = self._plan.shortage(usage), False
        if shortage is not None and self.running and self._is_ready():
            is_more = await self._freeing.run(shortage, _SLICE_SECONDS)
            usage = await self._gauge.measure()
        self._meter.measured(usage, self._plan.max_bytes, self._plan.keep_free(usage))
        return is_more

    @deferred
    async def preview(self, number: int) -> EvictionPreview:
        """Fire with what would go next; fails as the ledger does."""
        usage = await self._gauge.measure()
        return EvictionPreview(
            usage,
            self._plan.max_bytes,
            self._plan.keep_free(usage),
            self._plan.shortage(usage),
            await self._candidates.first(number),
        )


def _no_room(size: int) -> CacheFull:
    return CacheFull({"reason": "no room can be made", "size": size})
