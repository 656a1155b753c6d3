"""Deletes until there is as much room as was asked for."""

from __future__ import annotations

import attrs
from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from txregistry.eviction.candidates import Candidates
from txregistry.eviction.evictor import Evictor
from txregistry.eviction.reservations import Reservations
from txregistry.flow.deferred import deferred
from txregistry.interfaces.eviction import Shortage
from txregistry.interfaces.expiry import LedgerAway, Stored
from txregistry.interfaces.fills import IPartialBlobs
from txregistry.spec.digest import Digest


@attrs.define(eq=False)
class Freeing:
    """Deletes blobs in the order of the candidates, then parts of blobs.

    :ivar evictor: deletes one blob.
    """

    _clock: IReactorTime
    _candidates: Candidates
    evictor: Evictor
    _partials: IPartialBlobs
    _reservations: Reservations
    _log = Logger()

    @deferred
    async def is_possible(self, size: int, asking: Digest) -> bool:
        """Fire with whether so many bytes could go, and delete nothing.

        Fails as the ledger does.

        :param asking: a part of this digest does not count, as it stays.
        """
        held = self._reservations
        found = held.waiting - held.idle.get(asking, 0)
        last = await self._candidates.start()
        while found < size:
            page = await self._candidates.page(last)
            if page.last is None:
                return False
            found += sum(stored.size for stored in page.going)
            last = page.last
        return True

    @deferred
    async def run(
        self, shortage: Shortage, seconds: float, asking: Digest | None = None
    ) -> bool:
        """Delete until so many bytes are free, or nothing is left that may go.

        :param seconds: after which no further blob is begun with.
        :param asking: a part of this digest stays.
        :return: fires with whether the time was over before. Fails with ``LedgerAway``,
            or a ``DriverError`` of the pins; a blob that cannot be deleted is passed
            over and told of.
        """
        until, freed = self._clock.seconds() + seconds, 0
        last, only_kept = await self._candidates.start(), True
        while freed < shortage.size and self._clock.seconds() < until:
            page = await self._candidates.page(last)
            if page.last is None:
                freed += await self._drop_parts(shortage.size - freed, asking)
                break
            last, only_kept = page.last, only_kept and not page.going
            if only_kept:
                self._candidates.stay(page.last)
            freed += await self._evict_some(page.going, shortage.size - freed, until)
        is_late = freed < shortage.size and self._clock.seconds() >= until
        self._tell(freed, shortage)
        return is_late

    def _tell(self, freed: int, shortage: Shortage) -> None:
        self._log.info(
            "made room for {limit}: {freed} bytes of {size}",
            limit=shortage.limit.value,
            freed=freed,
            size=shortage.size,
        )

    @deferred
    async def _evict_some(self, going: list[Stored], size: int, until: float) -> int:
        freed = 0
        for stored in going:
            if freed >= size or self._clock.seconds() >= until:
                break
            freed += await self._evict(stored)
        return freed

    @deferred
    async def _evict(self, stored: Stored) -> int:
        try:
            if not await self._candidates.is_going(stored):
                return 0
            return await self.evictor.evict(stored)
        except (CancelledError, LedgerAway):
            raise
        except Exception:
            self._log.failure("could not delete {digest}", digest=stored.reference)
            return 0

    @deferred
    async def _drop_parts(self, size: int, asking: Digest | None) -> int:
        """Delete parts of blobs, the oldest first; what somebody has open stays."""
        freed, idle = 0, self._reservations.idle
        for digest in list(idle):
            if freed >= size:
                break
            if digest != asking and await self._partials.discard(digest=digest):
                freed += idle.pop(digest, 0)
        return freed
