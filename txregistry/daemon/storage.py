"""The services of the storage: a check at the start, and its journal."""

from __future__ import annotations

import attrs
from twisted.application.service import Service
from twisted.internet.defer import DeferredLock
from twisted.internet.interfaces import (
    IReactorTime,
)
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from txregistry.flow.context import background
from txregistry.flow.deferred import deferred, shielded
from txregistry.interfaces.driver import (
    IConnected,
    IJournaled,
    IStorageDriver,
    PathNotFound,
)
from txregistry.storage.tree import layout
from txregistry.storage.tree.probe import probe

#: Seconds between two syncs of journaled changes, which void their records.
CHECKPOINT_SECONDS = 5.0


class JournalLeft(Exception):
    """A process that had the storage to itself was not stopped in good order."""


@attrs.define(eq=False, slots=False)
class StorageService(Service):
    """Checks that the storage can be written before the registry serves."""

    _driver: IStorageDriver

    @background("storage")
    @deferred
    async def startService(self) -> None:
        """Write and delete a small file; fail with the driver's own error."""
        super().startService()
        await probe(self._driver)


@attrs.define(eq=False, slots=False)
class StorageNetwork(Service):
    """Closes the connections of a driver at the end."""

    _driver: IConnected

    @deferred
    async def stopService(self) -> None:
        """Close those that nobody uses."""
        super().stopService()
        await self._driver.disconnect()


@attrs.define(eq=False, slots=False)
class Journaling(Service):
    """Opens a driver's journal, if it has one, and has its files to itself.

    It starts when no other process works on the directory, and before anything is read
    from it.
    """

    _driver: IStorageDriver
    _clock: IReactorTime
    _loop: LoopingCall | None = None
    _turn: DeferredLock = attrs.field(factory=DeferredLock)
    _log = Logger()

    @background("storage")
    @deferred
    async def startService(self) -> None:
        """Repair what a power failure undid; fail with the driver's own error.

        Where others share the storage there is no journal; one that is left there is a
        ``JournalLeft``.

        Cancelling only stops the wait: a stop waits for the repair to end.
        """
        super().startService()
        if self._driver.is_shared:
            await self._check_for_journal()
        elif IJournaled.providedBy(self._driver):
            await shielded(self._open_in_turn(), self._not_opened)

    async def _check_for_journal(self) -> None:
        """Refuse to go on without what only a journal knows.

        :raise JournalLeft: there is one.
        """
        try:
            left = await self._driver.list(layout.JOURNAL)
        except PathNotFound:
            return
        if left:
            raise JournalLeft(
                "a process that had the storage to itself did not end in good order,"
                f" and left its journal ({layout.JOURNAL}): start one without"
                " storage.filesystem.shared, and stop it"
            )

    async def _open_in_turn(self) -> None:
        await self._turn.run(self._open)

    def _not_opened(self, failure: Failure) -> None:
        self._log.failure("the journal cannot be opened", failure)

    @deferred
    async def _open(self) -> None:
        mended = await IJournaled(self._driver).open_journal(path=layout.JOURNAL)
        if mended:
            self._log.warn(
                "the machine stopped before all was written: {count} files were"
                " restored from the journal",
                count=mended,
            )
        self._loop = LoopingCall(self._checkpoint)
        self._loop.clock = self._clock
        self._loop.start(CHECKPOINT_SECONDS, now=False)

    @background("journal")
    @deferred
    async def stopService(self) -> None:
        """Make all changes durable, and remove the journal."""
        super().stopService()
        await self._turn.run(self._close)

    @deferred
    async def _close(self) -> None:
        if self._loop is not None:
            self._loop.stop()
            await IJournaled(self._driver).close_journal()

    @background("journal")
    @deferred
    async def _checkpoint(self) -> None:
        with self._log.failuresHandled(
            "changes are not durable yet; they stay in the journal"
        ):
            await IJournaled(self._driver).checkpoint()
