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

from txregistry.flow.deferred import deferred, failed
from txregistry.flow.streams import BoundedConsumer, ConsumerStopped, TooLong


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

    :ivar content_length: how many bytes the client says there are, if it does.
    :ivar received: how many have come.
    :ivar complete: all of it has come.
    :ivar overflowed: more came than whoever read it wanted to take.
    """

    _source: ref[BodySource]
    content_length: int | None
    received: int = 0
    complete: bool = False
    _buffered: list[bytes] = attrs.field(factory=list)
    _consumer: IConsumer | None = None
    _done: Deferred[int] | None = None
    _paused: bool = True
    _is_lost: bool = False
    _on_dropped: Callable[[], None] | None = None
    _drop_budget: int = 0
    _bytes_wanted: int | None = None
    _corked: list[bytes] | None = None
    overflowed: bool = False

    def read(self, consumer: IConsumer, max_bytes: int | None = None) -> Deferred[int]:
        """Push the body into a consumer; call once.

        :param max_bytes: a body that is longer ends there, and has
            :attr:`overflowed`.
        :return: fires with the number of bytes when the last was written. Fails with
            ``BodyBroken`` if the client goes first, ``ConsumerStopped`` if the
            consumer stops us. Cancelling stops.
        """
        if self._is_lost:
            return failed(BodyBroken())
        done: Deferred[int] = Deferred(lambda _: self._detach())
        self._done, self._consumer, self._bytes_wanted = done, consumer, max_bytes
        consumer.registerProducer(self, True)
        if self._consumer is not None:
            self.resumeProducing()
        return done

    @deferred
    async def collect(self, max_bytes: int) -> bytes:
        """Fire with a small body.

        Fails with ``TooLong`` as soon as that is known, before it is read.
        """
        if self.content_length is not None and self.content_length > max_bytes:
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
        self._detach()
        self._buffered.clear()
        self._drop_budget, self._on_dropped = max_bytes, ended
        if self.complete or self._is_lost:
            self._end_drop()
        else:
            self._paused = False
            self._resume()

    def cork(self) -> None:
        """Keep what comes next, to be taken in one piece: a read may bring many."""
        self._corked = []

    def uncork(self, wire_bytes: int) -> None:
        """Take what was gathered.

        :param wire_bytes: what it was on the wire, with all that is around it.
        """
        self._deliver_corked()
        if self._on_dropped is not None and not self.complete:
            self._drop_budget -= wire_bytes
            if self._drop_budget < 0:
                self._end_drop()

    def feed(self, data: bytes) -> None:
        """Take what came from the connection."""
        if self._corked is not None:
            self._corked.append(data)
        else:
            self._receive(data)

    def _deliver_corked(self) -> None:
        parts, self._corked = self._corked, None
        if parts:
            self._receive(b"".join(parts))

    def _receive(self, data: bytes) -> None:
        """Take a piece.

        Nothing is worth no pause: it may be all that comes before the end, of which a
        connection that is held back would not tell.
        """
        if not data:
            return
        self.received += len(data)
        if self._on_dropped is not None:
            return
        if self._consumer is None or self._paused:
            # What was read together with the head, or before the pause took hold.
            self._buffered.append(data)
            self._pause()
        else:
            self._deliver(data)

    def _deliver(self, data: bytes) -> None:
        assert self._consumer is not None
        if self._bytes_wanted is not None:
            self._bytes_wanted -= len(data)
            if self._bytes_wanted < 0:
                self.overflowed = True
                self._pause()
                self._finish(None)
                return
        self._consumer.write(data)

    def end(self) -> None:
        """Hear that it has all come."""
        self._deliver_corked()
        self.complete = True
        if self._on_dropped is not None:
            self._end_drop()
        elif not self._buffered:
            self._finish(None)

    def connection_lost(self) -> None:
        """Hear that the client has gone."""
        if self.complete:
            return
        self._is_lost = True
        self._finish(Failure(BodyBroken()))
        if self._on_dropped is not None:
            self._end_drop()

    def pauseProducing(self) -> None:
        """Hold the client back."""
        self._paused = True
        if not self.complete:
            self._pause()

    def resumeProducing(self) -> None:
        """Go on."""
        self._paused = False
        while self._buffered and not self._paused and self._consumer is not None:
            self._deliver(self._buffered.pop(0))
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

    def _end_drop(self) -> None:
        ended, self._on_dropped = self._on_dropped, _ignore
        if ended is not None:
            ended()

    def _finish(self, failure: Failure | None) -> None:
        done = self._done
        self._detach()
        if done is None:
            return
        done.callback(self.received) if failure is None else done.errback(failure)

    def _detach(self) -> None:
        self._done = None
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            consumer.unregisterProducer()


def _ignore() -> None:
    """Stand for a drop that has ended: whatever else comes is dropped as well."""
