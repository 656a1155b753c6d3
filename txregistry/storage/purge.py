"""Purge uploads that nobody goes on with (``storage.maintenance.uploadpurging``)."""

from __future__ import annotations

import posixpath
from calendar import timegm
from collections.abc import AsyncIterator
from time import strptime

import attrs
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from txregistry.flow.deferred import deferred
from txregistry.interfaces.driver import DriverError, IStorageDriver, PathNotFound
from txregistry.storage import layout
from txregistry.storage.links import Links

#: Uploads that are looked at before others get their turn.
_PER_TURN = 16


@attrs.frozen
class PurgeReport:
    """What went; with ``dry_run``, what would have gone.

    :ivar failed: uploads that could not be looked at or deleted.
    """

    deleted: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


@attrs.define(eq=False)
class UploadPurger:
    """Deletes uploads that began long ago and that nobody wrote to since."""

    _driver: IStorageDriver
    _clock: IReactorTime
    _log = Logger()

    @deferred
    async def purge(self, before: float, dry_run: bool = False) -> PurgeReport:
        """Delete uploads that were begun and last written before a time.

        One that does not say when it began is left alone. One that fails does not keep
        the others.
        """
        deleted, failed, looked = [], [], 0
        async for path in walk_uploads(self._driver):
            looked += 1
            if looked % _PER_TURN == 0:
                await deferLater(self._clock, 0)
            try:
                if await self._last_use(path) >= before:
                    continue
                if not dry_run:
                    await Links(self._driver).remove(path, layout.REPOSITORIES, False)
                deleted.append(path)
            except DriverError as error:
                failed.append(path)
                self._log.warn("upload not purged: {error}", error=str(error))
        return PurgeReport(tuple(deleted), tuple(failed))

    @deferred
    async def _last_use(self, path: str) -> float:
        """Fire with when an upload was last used; for ever if that is not known."""
        try:
            text = await self._driver.get(path=f"{path}/startedat")
            began = timegm(strptime(text.decode("ascii"), "%Y-%m-%dT%H:%M:%SZ"))
        except (PathNotFound, ValueError):
            return float("inf")
        try:
            written = (await self._driver.stat(path=f"{path}/data")).modified_at
        except PathNotFound:
            written = 0.0
        return max(float(began), written)


async def walk_uploads(
    driver: IStorageDriver, path: str = layout.REPOSITORIES
) -> AsyncIterator[str]:
    """Visit the directories of all uploads, whatever else a repository holds."""
    try:
        children = await driver.list(path=path)
    except PathNotFound:
        return
    for child in children:
        name = posixpath.basename(child)
        if name == layout.UPLOADS:
            try:
                uploads = await driver.list(path=child)
            except PathNotFound:
                continue  # the last one has just been committed
            for upload in uploads:
                yield upload
        elif not name.startswith("_"):
            async for upload in walk_uploads(driver, child):
                yield upload


@attrs.define(eq=False, slots=False)
class UploadPurging(Service):
    """Purges every so often.

    :param first_delay: seconds from the start to the first purge; random, so that
        replicas do not all begin together.
    :param age: seconds after which an upload is given up.
    """

    _purger: UploadPurger
    _clock: IReactorTime
    _first_delay: float
    _interval: float
    _age: float
    _dry_run: bool
    _loop: Deferred[None] | None = None
    _log = Logger()

    def startService(self) -> None:
        """Begin to wait."""
        super().startService()
        self._loop = self._run()

    def stopService(self) -> None:
        """Purge no more."""
        super().stopService()
        loop, self._loop = self._loop, None
        if loop is not None:
            loop.cancel()

    @deferred
    async def _run(self) -> None:
        delay = self._first_delay
        try:
            while True:
                await deferLater(self._clock, delay)
                await self._purge()
                delay = max(1.0, self._interval)
        except CancelledError:
            return

    @deferred
    async def _purge(self) -> None:
        try:
            before = self._clock.seconds() - self._age
            report = await self._purger.purge(before=before, dry_run=self._dry_run)
        except DriverError as error:
            self._log.warn("uploads not purged: {error}", error=str(error))
            return
        self._log.info(
            "purged {count} uploads{note}",
            count=len(report.deleted),
            note=" (dry run)" if self._dry_run else "",
        )
