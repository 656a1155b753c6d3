"""Purge abandoned uploads (``storage.maintenance.uploadpurging``)."""

from __future__ import annotations

import posixpath
from collections.abc import AsyncIterator, Callable, Sequence

import attrs
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from txregistry.flow.context import background
from txregistry.flow.deferred import deferred
from txregistry.flow.rfc3339 import read_time
from txregistry.flow.turns import Turns
from txregistry.interfaces.driver import (
    DriverError,
    IPruner,
    IStorageDriver,
    PathNotFound,
)
from txregistry.storage.tree import layout
from txregistry.storage.tree.links import Links
from txregistry.storage.tree.shape import is_ours

#: Uploads that are examined before other work gets its turn.
_PER_TURN = 16


#: Age in seconds above which a temporary file belongs to no running process.
LEFTOVER_SECONDS = 3600.0


@attrs.frozen
class PurgeReport:
    """What was deleted; with ``dry_run``, what would be.

    :ivar failed: uploads that could not be examined or deleted.
    :ivar leftovers: files of interrupted writes; a dry run looks for none.
    """

    deleted: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    leftovers: int = 0


@attrs.define(eq=False)
class UploadPurger:
    """Deletes abandoned uploads, and leftovers of crashes."""

    _driver: IStorageDriver
    _clock: IReactorTime
    _log = Logger()

    @deferred
    async def purge(self, before: float, dry_run: bool = False) -> PurgeReport:
        """Delete uploads that were begun and last written before a time.

        An upload without a start time is left alone. A failure does not stop the
        others. Old leftovers of interrupted writes are deleted last.
        """
        deleted: list[str] = []
        failed: list[str] = []

        def tell(error: DriverError) -> None:
            failed.append(error.path)
            self._log.warn("upload not purged: {error}", error=str(error))

        turns = Turns(self._clock, _PER_TURN)
        async for path in turns.over(walk_uploads(self._driver, tell)):
            try:
                if await self._last_use(path) >= before:
                    continue
                if not dry_run:
                    await Links(self._driver).remove(path, layout.REPOSITORIES, False)
                deleted.append(path)
            except DriverError as error:
                tell(error)
        leftovers = 0 if dry_run else await self._sweep()
        return PurgeReport(tuple(deleted), tuple(failed), leftovers)

    @deferred
    async def _sweep(self) -> int:
        before = self._clock.seconds() - LEFTOVER_SECONDS
        return await sweep_leftovers(self._driver, before)

    @deferred
    async def _last_use(self, path: str) -> float:
        """Fire with when an upload was last used; infinity if that is unknown."""
        try:
            content = await self._driver.get(path=f"{path}/startedat")
            began = read_time(content.decode("ascii"))
        except (PathNotFound, ValueError):
            return float("inf")
        try:
            written = (await self._driver.stat(path=f"{path}/data")).modified_at
        except PathNotFound:
            written = 0.0
        return max(began, written)


@deferred
async def sweep_leftovers(driver: IStorageDriver, before: float) -> int:
    """Delete leftovers of interrupted writes, on a driver that has such.

    :param before: seconds since the epoch; younger files stay.
    :return: fires with how many there were. Fails with ``DriverError``.
    """
    if not IPruner.providedBy(driver):
        return 0
    return await IPruner(driver).sweep(path="/", before=before)


async def walk_uploads(
    driver: IStorageDriver,
    unreadable: Callable[[DriverError], None],
    path: str = layout.REPOSITORIES,
) -> AsyncIterator[str]:
    """Visit the directories of all uploads.

    :param unreadable: called for a directory that cannot be read.
    """
    for child in await _children(driver, path, unreadable):
        if posixpath.basename(child) == layout.UPLOADS:
            for upload in await _children(driver, child, unreadable):
                yield upload
        elif is_ours(child) and not posixpath.basename(child).startswith("_"):
            async for upload in walk_uploads(driver, unreadable, child):
                yield upload


async def _children(
    driver: IStorageDriver, path: str, unreadable: Callable[[DriverError], None]
) -> Sequence[str]:
    try:
        return await driver.list(path=path)
    except PathNotFound:
        return ()  # the last upload was just committed
    except DriverError as error:
        unreadable(error)
        return ()


@attrs.frozen
class PurgePlan:
    """When uploads are purged, and which.

    :ivar first_delay: seconds from the start to the first purge; random, so that
        replicas do not all begin together.
    :ivar interval: seconds between two purges.
    :ivar age: seconds after which an upload is given up.
    """

    first_delay: float
    interval: float
    age: float
    dry_run: bool
    enabled: bool = True


@attrs.define(eq=False, slots=False)
class UploadPurging(Service):
    """Purges at an interval."""

    _purger: UploadPurger
    _clock: IReactorTime
    _plan: PurgePlan
    _loop: Deferred[None] | None = None
    _log = Logger()

    def follow(self, plan: PurgePlan) -> None:
        """Use another plan; a purge in progress is cancelled."""
        self._plan = plan
        if self.running:
            self._stop()
            self._start()

    def startService(self) -> None:
        """Start the timer."""
        super().startService()
        self._start()

    def stopService(self) -> None:
        """Stop purging."""
        super().stopService()
        self._stop()

    def _start(self) -> None:
        if self._plan.enabled:
            self._loop = self._run(self._plan)

    def _stop(self) -> None:
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.cancel()

    @background("purge")
    @deferred
    async def _run(self, plan: PurgePlan) -> None:
        delay = plan.first_delay
        try:
            while True:
                await deferLater(self._clock, delay)
                await self._purge(plan)
                delay = max(1.0, plan.interval)
        except CancelledError:
            return

    @deferred
    async def _purge(self, plan: PurgePlan) -> None:
        try:
            before = self._clock.seconds() - plan.age
            report = await self._purger.purge(before=before, dry_run=plan.dry_run)
        except DriverError as error:
            self._log.warn("uploads not purged: {error}", error=str(error))
            return
        self._log.info(
            "purged {count} uploads and {leftovers} unfinished files{note}",
            count=len(report.deleted),
            leftovers=report.leftovers,
            note=" (dry run)" if plan.dry_run else "",
        )
