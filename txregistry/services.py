"""The services of the house: what starts, in which order, and how it drains."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from typing import Any

import attrs
from twisted.application.service import IService, Service
from twisted.internet.defer import CancelledError, Deferred, DeferredLock
from twisted.internet.interfaces import (
    IListeningPort,
    IProtocolFactory,
    IReactorTime,
    IStreamServerEndpoint,
)
from twisted.internet.task import LoopingCall
from twisted.logger import ILogObserver, Logger
from twisted.python.components import Componentized
from twisted.python.failure import Failure
from twisted.web.client import HTTPConnectionPool
from twisted.web.resource import IResource
from twisted.web.server import Site

from txregistry.expiry.ledger_sqlite import SqliteLedger
from txregistry.expiry.rebuild import Rebuild
from txregistry.flow.database import Database
from txregistry.flow.deferred import deferred, shielded
from txregistry.interfaces.driver import DriverError, IJournaled, IStorageDriver
from txregistry.remote.client import UpstreamClient
from txregistry.spec.errors import Unavailable
from txregistry.storage.content.integrity import Integrity
from txregistry.storage.index.reconcile import Reconciler
from txregistry.storage.tree import layout
from txregistry.web.http.site import RegistrySite

#: How often what a journal says is made safe, so that it need not say it any more.
CHECKPOINT_SECONDS = 5.0


@attrs.define(eq=False, slots=False)
class Registry(Service):
    """The whole daemon: starts its parts in order, stops them in reverse.

    Listening comes last and only after the storage has shown that it works; when
    stopping, no connection is taken any more, requests under way are finished, and
    then the parts stop one after the other.

    :param give_up: is called when a part cannot start; ends the process.
    """

    _drain_seconds: float
    _give_up: Callable[[], None]
    _parts: list[IService] = attrs.field(factory=list)
    _listeners: list[tuple[IProtocolFactory, IStreamServerEndpoint]] = attrs.field(
        factory=list
    )
    _ports: list[IListeningPort] = attrs.field(factory=list)
    _starting: Deferred[None] | None = None
    log_observer: ILogObserver | None = None
    _log = Logger()

    def add(self, part: IService) -> None:
        """Add a part that starts after those that are there."""
        self._parts.append(part)

    def serve(self, site: IProtocolFactory, endpoint: IStreamServerEndpoint) -> None:
        """Say what to listen with, once everything has started."""
        self._listeners.append((site, endpoint))

    def setServiceParent(self, parent: Any) -> None:
        """Join an application, and give it our way of logging.

        twistd asks the application for an observer before it starts anything; this
        is the one moment at which a plugin's service can name one.
        """
        if self.log_observer is not None and isinstance(parent, Componentized):
            parent.setComponent(ILogObserver, self.log_observer)
        super().setServiceParent(parent)

    def startService(self) -> None:
        """Start the parts; a failure is logged and stops the process."""
        super().startService()
        self._starting = self._start()
        self._starting.addErrback(self._not_started)

    @deferred
    async def stopService(self) -> None:
        """Drain and stop; fires when everything is at rest."""
        super().stopService()
        if self._starting is not None:
            self._starting.cancel()
        for port in self._ports:
            await _as_deferred(port.stopListening())
        for site, _ in self._listeners:
            if isinstance(site, RegistrySite):
                await site.drain(self._drain_seconds)
        for part in reversed(self._parts):
            if part.running:
                with self._log.failuresHandled("while stopping {part}", part=part):
                    await _as_deferred(part.stopService())

    @deferred
    async def _start(self) -> None:
        for part in self._parts:
            part.privilegedStartService()
            await _as_deferred(part.startService())
        for site, endpoint in self._listeners:
            port = await endpoint.listen(site)
            self._ports.append(port)
            if isinstance(site, RegistrySite):
                self._log.info("ready on {address}", address=str(port.getHost()))

    def _not_started(self, failure: Failure) -> None:
        if failure.check(CancelledError):
            return
        self._log.critical("cannot start: {error}", error=str(failure.value))
        self._give_up()


def _as_deferred(result: Any) -> Deferred[Any]:
    if isinstance(result, Deferred):
        return result
    done: Deferred[Any] = Deferred()
    done.callback(result)
    return done


@attrs.define(eq=False, slots=False)
class StorageService(Service):
    """Shows that the storage can be written before anything is served from it."""

    _driver: IStorageDriver

    @deferred
    async def startService(self) -> None:
        """Write and delete a small file; fail with the driver's own error."""
        super().startService()
        path = f"{layout.OWN}/writable-{os.getpid()}"
        await self._driver.put(path, b"")
        await self._driver.delete(path)


@attrs.define(eq=False, slots=False)
class Journaling(Service):
    """Lets a driver write changes down before it makes them, if it can.

    It starts when nobody else works on the directory any more, and before anything
    is read from it.
    """

    _driver: IStorageDriver
    _clock: IReactorTime
    _loop: LoopingCall | None = None
    _turn: DeferredLock = attrs.field(factory=DeferredLock)
    _log = Logger()

    @deferred
    async def startService(self) -> None:
        """Make good what a power failure undid; fail with the driver's own error.

        Cancelling only stops waiting: whoever stops us waits for what has begun.
        """
        super().startService()
        if IJournaled.providedBy(self._driver):
            await shielded(self._open_in_turn(), self._not_opened)

    async def _open_in_turn(self) -> None:
        await self._turn.run(self._open)

    def _not_opened(self, failure: Failure) -> None:
        self._log.failure("the journal cannot be opened", failure)

    @deferred
    async def _open(self) -> None:
        mended = await IJournaled(self._driver).open_journal(path=layout.JOURNAL)
        if mended:
            self._log.warn(
                "the machine stopped before all was written: {count} files were made"
                " good from the journal",
                count=mended,
            )
        self._loop = LoopingCall(self._checkpoint)
        self._loop.clock = self._clock
        self._loop.start(CHECKPOINT_SECONDS, now=False)

    @deferred
    async def stopService(self) -> None:
        """Make all changes safe; nothing of the journal is left."""
        super().stopService()
        await self._turn.run(self._close)

    @deferred
    async def _close(self) -> None:
        if self._loop is not None:
            self._loop.stop()
            await IJournaled(self._driver).close_journal()

    @deferred
    async def _checkpoint(self) -> None:
        with self._log.failuresHandled("changes are not safe yet; they are kept"):
            await IJournaled(self._driver).checkpoint()


@attrs.define(eq=False, slots=False)
class Index(Service):
    """Looks through the tree for the catalogue; nothing waits for it at the start."""

    _database: Database
    _reconciler: Reconciler
    _integrity: Integrity
    _looking: Deferred[None] | None = None
    _log = Logger()

    def startService(self) -> None:
        """Begin."""
        super().startService()
        self._looking = self._look()

    @deferred
    async def stopService(self) -> None:
        """Write what was verified, and close the file."""
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
            # Whoever asks for the catalogue will try again.
            self._log.warn("no catalogue yet: {error}", error=str(error))


@attrs.define(eq=False, slots=False)
class Ledger(Service):
    """Closes the ledger, and leaves a state file for the Go registry."""

    _ledger: SqliteLedger
    _rebuild: Rebuild
    _log = Logger()

    @deferred
    async def stopService(self) -> None:
        """Write what is left."""
        super().stopService()
        try:
            await self._rebuild.export_state()
        except (DriverError, sqlite3.Error) as error:
            self._log.warn("no scheduler state written: {error}", error=str(error))
        try:
            await self._ledger.close()
        except sqlite3.Error as error:
            self._log.warn("the last uses are not kept: {error}", error=str(error))


@attrs.define(eq=False, slots=False)
class Preload(Service):
    """Learns how to authenticate to the upstream right after the start.

    Nothing waits for it: the upstream may be away.
    """

    _client: UpstreamClient
    _pool: HTTPConnectionPool
    _uses_credentials: bool
    _loading: Deferred[None] | None = None
    _log = Logger()

    def startService(self) -> None:
        """Begin, if there are credentials at all."""
        super().startService()
        if self._uses_credentials:
            self._loading = self._load()

    @deferred
    async def stopService(self) -> None:
        """Give up what is under way and close idle connections."""
        super().stopService()
        if self._loading is not None:
            self._loading.cancel()
        await self._pool.closeCachedConnections()

    @deferred
    async def _load(self) -> None:
        try:
            await self._client.preload()
            self._log.info("authenticated to {upstream}", upstream=self._client.host)
        except CancelledError:
            return
        except Exception as error:
            # Whatever it is: it is one warning, and the cache serves on.
            self._log.warn(
                "cannot authenticate to {upstream} yet: {error}",
                upstream=self._client.host,
                error=str(error),
            )


class DebugSite(Site):
    """The debug listener's site; it keeps no log of its own."""

    noisy = False

    def __init__(self, resource: IResource) -> None:
        super().__init__(resource)

    def log(self, request: Any) -> None:
        """Write nothing."""
