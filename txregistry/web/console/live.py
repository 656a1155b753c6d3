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
from txregistry.flow.turns import Turns
from txregistry.spec.errors import NotFound, TooManyRequests
from txregistry.web.console.sources import Values
from txregistry.web.http.request import RegistryRequest

#: Seconds between two updates, most who are told, and most different things.
EVERY_SECONDS, MAX_LISTENERS, MAX_TOPICS = 2.0, 100, 30

#: Most pages of one visitor.
MAX_OF_ONE = 20

#: Share of the time that is spent to look at one thing, and most seconds without.
SHARE, MAX_REST = 0.004, 10.0

#: Sent where nothing has changed, so that a listener who is gone is noticed.
_NOTHING_NEW = b":\n\n"


@attrs.frozen
class Topic:
    """What some look at.

    :ivar key: is the same for all who are to be told the same.
    :ivar look: fires with what they are told; what has a true ``last`` is told last,
        as is nothing after ``NotFound``.
    :ivar version: gives a value that is the same as long as another look would give
        the same; ``None`` if that cannot be told without it.
    """

    key: str
    look: Callable[[], Deferred[Values]]
    version: Callable[[], object] | None = None


@implementer(IPushProducer)
@attrs.define(eq=False)
class Listener:
    """One page that is kept up to date; while it does not read, it is told nothing.

    :ivar who: looks at it.
    """

    request: RegistryRequest
    who: str
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

    def end(self) -> None:
        """End the answer."""
        self.request.unregisterProducer()
        self.request.finish()


@attrs.define(eq=False)
class Group:
    """All who look at the same."""

    topic: Topic
    listeners: list[Listener] = attrs.field(factory=list)
    _version: object = None
    _data: bytes = b""
    _is_looking: bool = False
    _is_failing: bool = False
    _rests_until: float = float("-inf")
    _log = Logger()

    @background("live")
    @deferred
    async def tell(self, clock: IReactorTime) -> None:
        """Look, unless nothing can have changed or it rests, and tell all; never fails.

        What takes long to look at is looked at less often.
        """
        began_at = clock.seconds()
        if self._is_looking or began_at < self._rests_until:
            return
        self._is_looking = True
        try:
            is_last = await self._look()
        except NotFound:
            is_last = True
        except Exception as error:
            self._tell_failure(error)
            return
        finally:
            self._is_looking = False
        took = clock.seconds() - began_at
        self._rests_until = began_at + min(MAX_REST, took / SHARE)
        self._is_failing = False
        self._tell(is_last)

    @deferred
    async def _look(self) -> bool:
        """Look if it is worth it; fire with whether it was the last time."""
        version = None if self.topic.version is None else self.topic.version()
        if self._data and version is not None and version == self._version:
            return False
        values = await self.topic.look()
        self._data, self._version = json.dumps(values).encode("utf-8"), version
        return bool(values.get("last"))

    def _tell(self, is_last: bool) -> None:
        for listener in list(self.listeners):
            listener.tell(self._data)
            if is_last:
                listener.end()

    def _tell_failure(self, error: Exception) -> None:
        if not self._is_failing:
            self._log.warn("nothing to tell pages: {error}", error=str(error))
        self._is_failing = True


@attrs.define(eq=False)
class Live:
    """Tells all who look at the same the same, and looks only while there is one."""

    _clock: IReactorTime
    _groups: dict[str, Group] = attrs.field(factory=dict)
    _loop: LoopingCall | None = None

    def listen(
        self, request: RegistryRequest, who: str, topic: Topic
    ) -> Deferred[None]:
        """Answer with events until the client leaves, or the listener is drained.

        :param who: asks; nobody takes the place of all others.
        :return: fires when it is over. Fails with ``TooManyRequests``.
        """
        if not self._has_room(who, topic):
            raise TooManyRequests("too many pages are open", 10.0)
        request.setHeader(b"Content-Type", b"text/event-stream")
        request.setHeader(b"Cache-Control", b"no-store")
        listener, over = Listener(request, who), request.notifyFinish()
        request.registerProducer(listener, True)
        request.write(b"retry: 5000\n\n")
        group = self._groups.setdefault(topic.key, Group(topic))
        group.listeners.append(listener)
        over.addBoth(self._left, group, listener)
        group.tell(self._clock)
        if self._groups and self._loop is None:
            self._loop = LoopingCall(self.tell)
            self._loop.clock = self._clock
            self._loop.start(EVERY_SECONDS, now=False)
        return over

    def _has_room(self, who: str, topic: Topic) -> bool:
        groups = self._groups.values()
        listening = [listener.who for group in groups for listener in group.listeners]
        is_new = topic.key not in self._groups
        return (
            len(listening) < MAX_LISTENERS
            and listening.count(who) < MAX_OF_ONE
            and (not is_new or len(self._groups) < MAX_TOPICS)
        )

    def end(self, is_meant: Callable[[RegistryRequest], bool] = lambda _: True) -> None:
        """End the answers of listeners, who may come back and are then let in anew."""
        for group in list(self._groups.values()):
            for listener in list(group.listeners):
                if is_meant(listener.request):
                    listener.end()

    def _left(self, _: object, group: Group, listener: Listener) -> None:
        group.listeners.remove(listener)
        if not group.listeners:
            del self._groups[group.topic.key]
        if not self._groups and self._loop is not None:
            loop, self._loop = self._loop, None
            loop.stop()

    @deferred
    async def tell(self) -> None:
        """Have all groups told once, each in a turn of its own; never fails."""
        self.end(_is_draining)
        turns = Turns(self._clock, every=1)
        for group in list(self._groups.values()):
            await turns.take()
            # None of them waits for another.
            group.tell(self._clock)


def _is_draining(request: RegistryRequest) -> bool:
    site: Any = request.site
    return bool(site.draining)
