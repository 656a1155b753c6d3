"""The services of the small databases beside the tree."""

from __future__ import annotations

import sqlite3

import attrs
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from txregistry.expiry.rebuild import Rebuild
from txregistry.flow.database import Database
from txregistry.flow.deferred import deferred
from txregistry.interfaces.driver import DriverError
from txregistry.interfaces.expiry import ILedger, LedgerAway
from txregistry.spec.errors import Unavailable
from txregistry.storage.content.integrity import Integrity
from txregistry.storage.index.reconcile import Reconciler


@attrs.define(eq=False, slots=False)
class Index(Service):
    """Scans the tree for the catalogue; the start does not wait for it."""

    _database: Database
    _reconciler: Reconciler
    _integrity: Integrity
    _looking: Deferred[None] | None = None
    _log = Logger()

    def startService(self) -> None:
        """Begin, unless others change the tree: then the index is not believed."""
        super().startService()
        if not self._reconciler.is_shared:
            self._looking = self._look()

    @deferred
    async def stopService(self) -> None:
        """Write the results of verification, and close the file."""
        super().stopService()
        if self._looking is not None:
            self._looking.cancel()
        await self._integrity.flush()
        await self._database.close()

    @deferred
    async def _look(self) -> None:
        try:
            await self._reconciler.repositories()
        except CancelledError:
            return
        except (DriverError, sqlite3.Error, Unavailable) as error:
            # The next request for the catalogue retries.
            self._log.warn("no catalogue yet: {error}", error=str(error))


@attrs.define(eq=False, slots=False)
class Ledger(Service):
    """Closes the ledger, and writes a state file for the Go registry."""

    _ledger: ILedger
    _rebuild: Rebuild
    _log = Logger()

    @deferred
    async def stopService(self) -> None:
        """Write the rest."""
        super().stopService()
        try:
            await self._rebuild.export_state()
        except (DriverError, LedgerAway, sqlite3.Error) as error:
            self._log.warn("no scheduler state written: {error}", error=str(error))
        finally:
            await self._close()

    @deferred
    async def _close(self) -> None:
        try:
            await self._ledger.close()
        except (LedgerAway, sqlite3.Error) as error:
            self._log.warn("the last uses are not saved: {error}", error=str(error))
