"""The order of the start, the drain, and the stop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs
from twisted.application.service import IService, Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import (
    IListeningPort,
    IProtocolFactory,
    IStreamServerEndpoint,
)
from twisted.internet.task import deferLater
from twisted.logger import ILogObserver, Logger
from twisted.python.components import Componentized
from twisted.python.failure import Failure

from txregistry.daemon.supervision import Supervision
from txregistry.flow.context import background
from txregistry.flow.deferred import deferred
from txregistry.web.http.site import RegistrySite

#: Between the last connection that is accepted and the drain, which closes those that
#: ask nothing. A client that has just connected sends its request within this time; it
#: would not try again, as one does whose connection was kept.
_SETTLE_SECONDS = 0.5


@attrs.define(eq=False, slots=False)
class Registry(Service):
    """The whole daemon: starts its parts in order, stops them in reverse.

    Listening starts last, after the storage has been checked; a stop takes no more
    connections, finishes current requests, and then stops the parts one after the
    other.

    :ivar drain_seconds: for which a stop waits for answers under way.
    :param give_up: called when a part cannot start; ends the process.
    :param supervision: is told when the daemon is ready, and when it stops.
    """

    drain_seconds: float
    _give_up: Callable[[], None]
    _supervision: Supervision
    _parts: list[IService] = attrs.field(factory=list)
    _listeners: list[tuple[IProtocolFactory, IStreamServerEndpoint]] = attrs.field(
        factory=list
    )
    _spared: list[IStreamServerEndpoint] = attrs.field(factory=list)
    _ports: list[IListeningPort] = attrs.field(factory=list)
    _starting: Deferred[None] | None = None
    _is_ready: bool = False
    log_observer: ILogObserver | None = None
    _log = Logger()

    def add(self, part: IService) -> None:
        """Add a part that starts after those added before."""
        self._parts.append(part)

    def add_first(self, part: IService) -> None:
        """Add a part that starts before all others, and stops after them."""
        self._parts.insert(0, part)

    def serve(
        self,
        site: IProtocolFactory,
        endpoint: IStreamServerEndpoint,
        can_be_spared: bool = False,
    ) -> None:
        """Set the listeners, which start after all parts.

        :param can_be_spared: the others listen also if this one cannot, as when another
            process has its address.
        """
        self._listeners.append((site, endpoint))
        if can_be_spared:
            self._spared.append(endpoint)

    @property
    def listeners(self) -> Sequence[tuple[IProtocolFactory, IStreamServerEndpoint]]:
        """Return the listeners."""
        return self._listeners

    @property
    def why_busy(self) -> str:
        """Return why no reload is possible now; empty while the daemon serves."""
        if not self.running:
            return "the daemon stops"
        return "" if self._is_ready else "the daemon has not started yet"

    def setServiceParent(self, parent: Any) -> None:
        """Join an application, and set its log observer.

        twistd asks the application for an observer before it starts anything; this
        is the one moment at which a plugin's service can name one.
        """
        if self.log_observer is not None and isinstance(parent, Componentized):
            parent.setComponent(ILogObserver, self.log_observer)
        super().setServiceParent(parent)

    def startService(self) -> None:
        """Start the parts; a failure is logged and stops the process."""
        super().startService()
        self._supervision.begin()
        self._starting = self._start()
        self._starting.addErrback(self._not_started)

    @background("stop")
    @deferred
    async def stopService(self) -> None:
        """Drain and stop; fires when every part has stopped."""
        super().stopService()
        self._supervision.stopping(self.drain_seconds)
        if self._starting is not None:
            self._starting.cancel()
        for port in self._ports:
            await _as_deferred(port.stopListening())
        sites = self._sites()
        for site in sites:
            if site.channels:
                await deferLater(site.clock, _SETTLE_SECONDS)
        for site in sites:
            await site.drain(self.drain_seconds)
        for part in reversed(self._parts):
            if part.running:
                with self._log.failuresHandled("while stopping {part}", part=part):
                    await _as_deferred(part.stopService())
        self._supervision.end()

    @background("start")
    @deferred
    async def _start(self) -> None:
        for part in self._parts:
            part.privilegedStartService()
            await _as_deferred(part.startService())
        addresses: list[str] = []
        for site, endpoint in self._listeners:
            port = await self._listen(site, endpoint)
            if port is None:
                continue
            self._ports.append(port)
            if isinstance(site, RegistrySite):
                addresses.append(str(port.getHost()))
                self._log.info("ready on {address}", address=addresses[-1])
        self._is_ready = True
        self._supervision.ready(f"ready on {', '.join(addresses)}")

    @deferred
    async def _listen(
        self, site: IProtocolFactory, endpoint: IStreamServerEndpoint
    ) -> IListeningPort | None:
        try:
            port: IListeningPort = await endpoint.listen(site)
        except CannotListenError as error:
            if endpoint not in self._spared:
                raise
            self._log.warn("a listener is not there: {error}", error=str(error))
            return None
        return port

    def _sites(self) -> set[RegistrySite]:
        """Give the sites to drain; one may be behind several sockets."""
        sites = (site for site, _ in self._listeners)
        return {site for site in sites if isinstance(site, RegistrySite)}

    @background("start")
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
