"""The body of a request as a push producer, which reads it while it arrives.

Requests are handled before their body is complete: see Note [Early requests] in
:mod:`txregistry.web.http.request`.
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
    """The client disconnected before its body was complete."""


class BodySource(Protocol):
    """The source of a body: a connection or stream whose reading can be paused."""

    def pause_body(self) -> None:
        """Stop reading the body for now."""

    def resume_body(self) -> None:
        """Read the body; the first call answers ``Expect: 100-continue``."""


@implementer(IPushProducer)
@attrs.define(eq=False)
class Body:
    """Pushes the bytes of a body to one consumer, and pauses the connection otherwise.

    It refers to its source weakly, so that both are freed without a garbage collection.

    :ivar content_length: bytes that the client has announced, ``None`` if unknown.
    :ivar received: bytes received so far.
    :ivar complete: all bytes were received.
    :ivar overflowed: the body is longer than the ``max_bytes`` of :meth:`read`.
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

        :param max_bytes: reading a longer body stops with the piece that exceeds this,
            which is not written, and sets :attr:`overflowed`.
        :return: fires with the number of bytes received when the last was written.
            Fails with ``BodyBroken`` if the client disconnects first, and with
            ``ConsumerStopped`` if the consumer stops the producer. Cancelling detaches
            the consumer.
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
        """Read a small body into memory.

        :return: fires with the bytes. Fails with ``TooLong``, before anything is read
            if the announced length exceeds ``max_bytes``, and with ``BodyBroken`` if
            the client disconnects first.
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
        """Read the rest of the body and discard it.

        :param max_bytes: limit on the wire, chunk framing included: a chunk of one byte
            takes six.
        :param ended: is called once, when the body has ended or exceeds ``max_bytes``.
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
        """Collect the pieces that are fed until :meth:`uncork`, to write them at once.

        One read of a socket may contain thousands of small chunks.
        """
        self._corked = []

    def uncork(self, wire_bytes: int) -> None:
        """Process the collected pieces as one.

        :param wire_bytes: their size on the wire, with framing; counts against the
            limit of :meth:`drop`.
        """
        self._deliver_corked()
        if self._on_dropped is not None and not self.complete:
            self._drop_budget -= wire_bytes
            if self._drop_budget < 0:
                self._end_drop()

    def feed(self, data: bytes) -> None:
        """Process bytes from the connection."""
        if self._corked is not None:
            self._corked.append(data)
        else:
            self._receive(data)

    def _deliver_corked(self) -> None:
        parts, self._corked = self._corked, None
        if parts:
            self._receive(b"".join(parts))

    def _receive(self, data: bytes) -> None:
        if not data:
            # An empty piece must not pause: only the end of the body may follow it, and
            # a paused connection does not report that.
            return
        self.received += len(data)
        if self._on_dropped is not None:
            return
        if self._consumer is None or self._paused:
            # Read together with the head, or before the pause took effect.
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
        """Process the end of the body: all bytes were fed."""
        self._deliver_corked()
        self.complete = True
        if self._on_dropped is not None:
            self._end_drop()
        elif not self._buffered:
            self._finish(None)

    def connection_lost(self) -> None:
        """Fail the reader with ``BodyBroken``, unless the body is complete."""
        if self.complete:
            return
        self._is_lost = True
        self._finish(Failure(BodyBroken()))
        if self._on_dropped is not None:
            self._end_drop()

    def pauseProducing(self) -> None:
        """Stop reading from the client, for the consumer."""
        self._paused = True
        if not self.complete:
            self._pause()

    def resumeProducing(self) -> None:
        """Write what is buffered, then read from the client again."""
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
        """Fail the reader with ``ConsumerStopped``; reading stays paused."""
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
    """Replace the callback of a drop that ended; further bytes are still dropped."""
