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

#: Sent where nothing has changed, so that a listener who is gone is noticed.
_NOTHING_NEW = b":\n\n"


@attrs.frozen
class Topic:
    """What some look at.

    :ivar key: is the same for all who are to be told the same.
    :ivar look: fires with what they are told.
    :ivar version: gives a value that is the same as long as another look would give
        the same; ``None`` if that cannot be told without it.
    """

    key: str
    look: Callable[[], Deferred[Values]]
    version: Callable[[], object] | None = None


@implementer(IPushProducer)
@attrs.define(eq=False)
class Listener:
    """One page that is kept up to date; while it does not read, it is told nothing."""

    request: RegistryRequest
    is_paused: bool = False
    _told: bytes = b""

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
        """Send one event, unless it knows it, or the last one has not been read."""
        if self.is_paused:
            return
        if data == self._told:
            self.request.write(_NOTHING_NEW)
            return
        self._told = data
        self.request.write(b"data: %b\n\n" % data)


@attrs.define(eq=False)
class Group:
    """All who look at the same."""

    topic: Topic
    listeners: list[Listener] = attrs.field(factory=list)
    _version: object = None
    _data: bytes = b""

    @deferred
    async def tell(self) -> None:
        """Look, unless nothing can have changed, and tell all."""
        version = None if self.topic.version is None else self.topic.version()
        if not self._data or version is None or version != self._version:
            self._data = json.dumps(await self.topic.look()).encode("utf-8")
            self._version = version
        for listener in list(self.listeners):
            listener.tell(self._data)


@attrs.define(eq=False)
class Live:
    """Tells all who look at the same the same, and looks only while there is one."""

    _clock: IReactorTime
    _groups: dict[str, Group] = attrs.field(factory=dict)
    _loop: LoopingCall | None = None
    _log = Logger()

    def listen(self, request: RegistryRequest, topic: Topic) -> Deferred[None]:
        """Answer with events until the client leaves, or the listener is drained.

        :return: fires when it is over. Fails with ``TooManyRequests``.
        """
        listening = sum(len(group.listeners) for group in self._groups.values())
        if listening >= MAX_LISTENERS:
            raise TooManyRequests("too many pages are open", 10.0)
        request.setHeader(b"Content-Type", b"text/event-stream")
        request.setHeader(b"Cache-Control", b"no-store")
        listener, over = Listener(request), request.notifyFinish()
        request.registerProducer(listener, True)
        request.write(b"retry: 5000\n\n")
        group = self._groups.setdefault(topic.key, Group(topic))
        group.listeners.append(listener)
        if self._loop is None:
            self._loop = LoopingCall(self.tell)
            self._loop.clock = self._clock
            self._loop.start(EVERY_SECONDS)
        else:
            self._tell(group)
        return over.addBoth(self._left, group, listener)

    def end(self, is_meant: Callable[[RegistryRequest], bool] = lambda _: True) -> None:
        """End the answers of listeners, who may come back and are then let in anew."""
        for group in list(self._groups.values()):
            for listener in list(group.listeners):
                if is_meant(listener.request):
                    listener.request.unregisterProducer()
                    listener.request.finish()

    def _left(self, _: object, group: Group, listener: Listener) -> None:
        group.listeners.remove(listener)
        if not group.listeners:
            del self._groups[group.topic.key]
        if not self._groups and self._loop is not None:
            loop, self._loop = self._loop, None
            loop.stop()

    @deferred
    async def tell(self) -> None:
        """Tell all of them once; never fails."""
        self.end(_is_draining)
        for group in list(self._groups.values()):
            await self._tell(group)

    @background("live")
    @deferred
    async def _tell(self, group: Group) -> None:
        try:
            await group.tell()
        except Exception as error:
            self._log.warn("nothing to tell pages: {error}", error=str(error))


def _is_draining(request: RegistryRequest) -> bool:
    site: Any = request.site
    return bool(site.draining)
