"""Content over the control socket: bytes between its lines of JSON.

Note [Bytes between lines]. A command that gives content says ``{"content": SIZE}``, and
so many bytes follow, then the report. One that takes content says ``{"send": SIZE}``
when it wants it: what is refused is not sent at all. While bytes are under way there
are no signs of life; they are one themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IConsumer,
    IProducer,
    IPushProducer,
    IReactorTime,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from txregistry.flow.streams import ConsumerStopped, ShortRead, Watchdog
from txregistry.interfaces.audit import Requester
from txregistry.interfaces.commands import Command
from txregistry.interfaces.files import IFileReader
from txregistry.interfaces.transfers import IIncomingBody

#: Seconds within which the other end has to send, or take, another piece: what it reads
#: from or writes to may be a slow medium.
STALL_SECONDS = 300.0

Options = Mapping[str, Any]


@attrs.frozen
class GivingCommand:
    """A command that gives content.

    :ivar open: fires with a reader, or fails as :class:`Command` does.
    """

    open: Callable[[Requester, Options], Deferred[IFileReader]]


@attrs.frozen
class TakingCommand:
    """A command that takes content.

    :ivar size_of: gives how many bytes the options announce.
    :ivar take: fires with a report, or fails as :class:`Command` does.
    """

    size_of: Callable[[Options], int]
    take: Callable[[Requester, Options, IIncomingBody], Deferred[dict[str, Any]]]


AnyCommand = Command | GivingCommand | TakingCommand


@implementer(IConsumer, IPushProducer)
@attrs.define(eq=False)
class WatchedConsumer:
    """Passes content to a peer, and gives one up that takes none for long.

    :param give_up: cuts the connection.
    """

    _consumer: IConsumer
    _clock: IReactorTime
    _give_up: Callable[[], None]
    _inner: IPushProducer | None = None
    _watchdog: Watchdog = attrs.field(init=False)

    @_watchdog.default
    def _make_watchdog(self) -> Watchdog:
        return Watchdog(self._clock, STALL_SECONDS, self._give_up)

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """Register a push producer."""
        self._inner = cast(IPushProducer, producer)
        self._consumer.registerProducer(self, True)

    def unregisterProducer(self) -> None:
        """Unregister it."""
        self._inner = None
        self._watchdog.disarm()
        self._consumer.unregisterProducer()

    def write(self, data: bytes) -> None:
        """Write to the peer."""
        self._consumer.write(data)

    def pauseProducing(self) -> None:
        """Wait for the peer."""
        self._watchdog.arm()
        if self._inner is not None:
            self._inner.pauseProducing()

    def resumeProducing(self) -> None:
        """Go on."""
        self._watchdog.disarm()
        if self._inner is not None:
            self._inner.resumeProducing()

    def stopProducing(self) -> None:
        """Stop: the peer has left."""
        self._watchdog.disarm()
        if self._inner is not None:
            self._inner.stopProducing()


@implementer(IIncomingBody, IPushProducer)
@attrs.define(eq=False)
class IncomingContent:
    """Content that a peer sends when it is asked for.

    :param left: how many bytes it will be.
    :param ask: has the peer send.
    :param source: the connection, which is paused with the consumer.
    :param give_up: cuts the connection.
    """

    _left: int
    _ask: Callable[[], None]
    _source: IPushProducer
    _clock: IReactorTime
    _give_up: Callable[[], None]
    _is_asked: bool = False
    _consumer: IConsumer | None = None
    _done: Deferred[None] | None = None
    _watchdog: Watchdog = attrs.field(init=False)

    @_watchdog.default
    def _make_watchdog(self) -> Watchdog:
        return Watchdog(self._clock, STALL_SECONDS, self._give_up)

    def read(self, consumer: IConsumer) -> Deferred[None]:
        """Have it sent; see :class:`IIncomingBody`."""
        done: Deferred[None] = Deferred(lambda _: self._detach())
        self._done, self._consumer = done, consumer
        consumer.registerProducer(self, True)
        self._is_asked = True
        self._ask()
        self._watchdog.arm()
        if not self._left:
            self._finish(None)
        return done

    def received(self, data: bytes) -> bytes:
        """Take what belongs to it; return what is left.

        Content that was asked for and is not wanted any more is dropped.
        """
        if not self._is_asked:
            return data
        taken, rest = data[: self._left], data[self._left :]
        self._left -= len(taken)
        if self._consumer is not None:
            self._watchdog.arm()
            self._consumer.write(taken)
        if not self._left:
            self._finish(None)
        return rest

    def lost(self) -> None:
        """Fail: the peer has left."""
        self._finish(Failure(ShortRead(f"{self._left} bytes are missing")))

    def pauseProducing(self) -> None:
        """Hold the peer back."""
        self._watchdog.disarm()
        self._source.pauseProducing()

    def resumeProducing(self) -> None:
        """Read again."""
        if self._consumer is not None:
            self._watchdog.arm()
        self._source.resumeProducing()

    def stopProducing(self) -> None:
        """Stop: the consumer takes no more."""
        self._finish(Failure(ConsumerStopped()))

    def _finish(self, result: Failure | None) -> None:
        done = self._done
        if done is not None:
            self._detach()
            done.callback(None) if result is None else done.errback(result)

    def _detach(self) -> None:
        consumer, self._consumer, self._done = self._consumer, None, None
        self._watchdog.disarm()
        if consumer is not None:
            consumer.unregisterProducer()
        # What comes now is read by nobody, but the end of the connection is.
        self._source.resumeProducing()
