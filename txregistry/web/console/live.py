"""Live updates: server-sent events (HTML, 9.2) for all who look at a page."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from zope.interface import implementer

from txregistry.flow.context import background
from txregistry.flow.deferred import deferred
from txregistry.spec.errors import TooManyRequests
from txregistry.web.console.sources import Values
from txregistry.web.http.request import RegistryRequest

#: Seconds between two updates, and most who are told.
EVERY_SECONDS, MAX_LISTENERS = 2.0, 100


@implementer(IPushProducer)
@attrs.define(eq=False)
class Listener:
    """One page that is kept up to date; while it does not read, it is told nothing."""

    request: RegistryRequest
    is_paused: bool = False

    def pauseProducing(self) -> None:
        """Tell nothing."""
        self.is_paused = True

    def resumeProducing(self) -> None:
        """Tell again."""
        self.is_paused = False

    def stopProducing(self) -> None:
        """Tell nothing any more."""
        self.is_paused = True

    def tell(self, data: bytes) -> None:
        """Send one event, unless the last ones have not been read."""
        if not self.is_paused:
            self.request.write(b"data: %b\n\n" % data)


@attrs.define(eq=False)
class Live:
    """Tells all listeners the same, and looks only while there is one.

    :param look: fires with what they are told.
    """

    _look: Callable[[], Deferred[Values]]
    _clock: IReactorTime
    _listeners: list[Listener] = attrs.field(factory=list)
    _loop: LoopingCall | None = None
    _log = Logger()

    def listen(self, request: RegistryRequest) -> Deferred[None]:
        """Answer with events until the client leaves, or the listener is drained.

        :return: fires when it is over. Fails with ``TooManyRequests``.
        """
        if len(self._listeners) >= MAX_LISTENERS:
            raise TooManyRequests("too many pages are open", 10.0)
        request.setHeader(b"Content-Type", b"text/event-stream")
        request.setHeader(b"Cache-Control", b"no-store")
        listener, over = Listener(request), request.notifyFinish()
        request.registerProducer(listener, True)
        request.write(b"retry: 5000\n\n")
        self._listeners.append(listener)
        if self._loop is None:
            self._loop = LoopingCall(self.tell)
            self._loop.clock = self._clock
            self._loop.start(EVERY_SECONDS)
        return over.addBoth(self._left, listener)

    def end(self, is_meant: Callable[[RegistryRequest], bool] = lambda _: True) -> None:
        """End the answers of listeners, who may come back and are then let in anew."""
        for listener in list(self._listeners):
            if is_meant(listener.request):
                listener.request.unregisterProducer()
                listener.request.finish()

    def _left(self, _: object, listener: Listener) -> None:
        self._listeners.remove(listener)
        if not self._listeners and self._loop is not None:
            loop, self._loop = self._loop, None
            loop.stop()

    @background("live")
    @deferred
    async def tell(self) -> None:
        """Tell all of them once; never fails."""
        self.end(_is_draining)
        try:
            data = json.dumps(await self._look()).encode("utf-8")
        except Exception as error:
            self._log.warn("nothing to tell pages: {error}", error=str(error))
            return
        for listener in list(self._listeners):
            listener.tell(data)


def _is_draining(request: RegistryRequest) -> bool:
    site: Any = request.site
    return bool(site.draining)
