"""Measures what a cache takes."""

from __future__ import annotations

import sqlite3

import attrs

from txregistry.eviction.reservations import Reservations
from txregistry.flow.deferred import deferred
from txregistry.interfaces.driver import DiskSpace, DriverError, IDiskSpace
from txregistry.interfaces.eviction import SpaceUsage
from txregistry.interfaces.expiry import IAccounts, LedgerAway


@attrs.define(eq=False)
class Gauge:
    """Adds up what is stored, and what is promised to downloads.

    :param disk: knows the file system of the storage; ``None`` if it is none.
    """

    _accounts: IAccounts
    _disk: IDiskSpace | None
    _reservations: Reservations
    _stored: int = 0

    @deferred
    async def measure(self) -> SpaceUsage:
        """Fire with what is taken, as far as it is known; never fails."""
        try:
            self._stored = await self._accounts.stored()
        except (LedgerAway, sqlite3.Error):
            pass  # told by who needs it more; what was known is near enough
        held = self._reservations
        disk = await self._space()
        return SpaceUsage(
            self._stored, held.reserved, held.unwritten, held.waiting, disk
        )

    @deferred
    async def _space(self) -> DiskSpace | None:
        if self._disk is None:
            return None
        try:
            return await self._disk.space()
        except DriverError:
            return None  # whoever writes is told
