"""The body of a request, as it arrives.

twisted.web hands a request over when its body is complete. Ours are handled when their
head is: see Note [Early requests] in :mod:`txregistry.web.http.request`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol
from weakref import ref

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IConsumer, IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from txregistry.flow.deferred import deferred
from txregistry.flow.streams import BoundedConsumer, ConsumerStopped, TooLong
from txregistry.speed.failures import failed


class BodyBroken(Exception):
    """The client went before its body was complete."""


class BodySource(Protocol):
    """Where a body comes from: a connection that can be held back."""

    def pause_body(self) -> None:
        """Read no more of it for now."""

    def resume_body(self) -> None:
        """Read on; the first time, tell a client that waits to send."""


@implementer(IPushProducer)
@attrs.define(eq=False)
class Body:
    """Holds the connection back until somebody reads, and while that one is full.

    Its source holds it, not the other way round: so both go as soon as they are done.

    :ivar announced: how many bytes the client says there are, if it does.
    :ivar received: how many have come.
    :ivar complete: all of it has come.
    :ivar overflowed: more came than whoever read it wanted to take.
    """

    _source: ref[BodySource]
    announced: int | None
    received: int = 0
    complete: bool = False
    _early: list[bytes] = attrs.field(factory=list)
    _consumer: IConsumer | None = None
    _done: Deferred[int] | None = None
    _paused: bool = True
    _lost: bool = False
    _dropping: Callable[[], None] | None = None
    _may_drop: int = 0
    _may_take: int | None = None
    _gathered: list[bytes] | None = None
    overflowed: bool = False

    def read(self, consumer: IConsumer, max_bytes: int | None = None) -> Deferred[int]:
        """Push the body into a consumer; call once.

        :param max_bytes: a body that is longer ends there, and has
            :attr:`overflowed`.
        :return: fires with the number of bytes when the last was written. Fails with
            ``BodyBroken`` if the client goes first, ``ConsumerStopped`` if the
            consumer stops us. Cancelling stops.
        """
        if self._lost:
            return failed(BodyBroken())
        done: Deferred[int] = Deferred(lambda _: self._leave())
        self._done, self._consumer, self._may_take = done, consumer, max_bytes
        consumer.registerProducer(self, True)
        if self._consumer is not None:
            self.resumeProducing()
        return done

    @deferred
    async def collect(self, max_bytes: int) -> bytes:
        """Fire with a small body.

        Fails with ``TooLong`` as soon as that is known, before it is read.
        """
        if self.announced is not None and self.announced > max_bytes:
            raise TooLong(f"more than {max_bytes} bytes")
        consumer = BoundedConsumer(max_bytes)
        try:
            await self.read(consumer)
        except ConsumerStopped as error:
            raise TooLong(f"more than {max_bytes} bytes") from error
        return consumer.content

    def drop(self, max_bytes: int, ended: Callable[[], None]) -> None:
        """Read what is left and forget it, as nobody wants it any more.

        :param max_bytes: on the wire, where chunks of one byte take six.
        :param ended: is called when it has ended, or is longer than ``max_bytes``.
        """
        self._leave()
        self._early.clear()
        self._may_drop, self._dropping = max_bytes, ended
        if self.complete or self._lost:
            self._dropped()
        else:
            self._paused = False
            self._resume()

    def gather(self) -> None:
        """Keep what comes next, to be taken in one piece: a read may bring many."""
        self._gathered = []

    def release(self, wire_bytes: int) -> None:
        """Take what was gathered.

        :param wire_bytes: what it was on the wire, with all that is around it.
        """
        self._take_gathered()
        if self._dropping is not None and not self.complete:
            self._may_drop -= wire_bytes
            if self._may_drop < 0:
                self._dropped()

    def feed(self, data: bytes) -> None:
        """Take what came from the connection."""
        if self._gathered is not None:
            self._gathered.append(data)
        else:
            self._take(data)

    def _take_gathered(self) -> None:
        parts, self._gathered = self._gathered, None
        if parts:
            self._take(b"".join(parts))

    def _take(self, data: bytes) -> None:
        """Take a piece.

        Nothing is worth no pause: it may be all that comes before the end, of which a
        connection that is held back would not tell.
        """
        if not data:
            return
        self.received += len(data)
        if self._dropping is not None:
            return
        if self._consumer is None or self._paused:
            # What was read together with the head, or before the pause took hold.
            self._early.append(data)
            self._pause()
        else:
            self._give(data)

    def _give(self, data: bytes) -> None:
        assert self._consumer is not None
        if self._may_take is not None:
            self._may_take -= len(data)
            if self._may_take < 0:
                self.overflowed = True
                self._pause()
                self._finish(None)
                return
        self._consumer.write(data)

    def end(self) -> None:
        """Hear that it has all come."""
        self._take_gathered()
        self.complete = True
        if self._dropping is not None:
            self._dropped()
        elif not self._early:
            self._finish(None)

    def lost(self) -> None:
        """Hear that the client has gone."""
        if self.complete:
            return
        self._lost = True
        self._finish(Failure(BodyBroken()))
        if self._dropping is not None:
            self._dropped()

    def pauseProducing(self) -> None:
        """Hold the client back."""
        self._paused = True
        if not self.complete:
            self._pause()

    def resumeProducing(self) -> None:
        """Go on."""
        self._paused = False
        while self._early and not self._paused and self._consumer is not None:
            self._give(self._early.pop(0))
        if self._paused or self._consumer is None:
            return
        if self.complete:
            self._finish(None)
        else:
            self._resume()

    def stopProducing(self) -> None:
        """Give up: whoever reads cannot go on, and says so to the client."""
        self._pause()
        self._finish(Failure(ConsumerStopped()))

    def _pause(self) -> None:
        source = self._source()
        if source is not None:
            source.pause_body()

    def _resume(self) -> None:
        source = self._source()
        if source is not None:
            source.resume_body()

    def _dropped(self) -> None:
        ended, self._dropping = self._dropping, _ignore
        if ended is not None:
            ended()

    def _finish(self, failure: Failure | None) -> None:
        done = self._done
        self._leave()
        if done is None:
            return
        done.callback(self.received) if failure is None else done.errback(failure)

    def _leave(self) -> None:
        self._done = None
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.unregisterProducer()


def _ignore() -> None:
    """Stand for a drop that has ended: whatever else comes is dropped as well."""
