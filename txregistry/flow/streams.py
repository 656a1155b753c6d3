"""Producers and consumers with bounded memory.

All readers have one method, ``reader.read(consumer, offset, size)``. This module
implements it over any function that returns a chunk at an offset, and collects small
bodies in memory up to a limit.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import (
    IConsumer,
    IDelayedCall,
    IProducer,
    IPushProducer,
    IReactorTime,
)
from twisted.python.failure import Failure
from zope.interface import implementer

#: Bytes per read from a disk and per write to a client, at most and at least. Large
#: ones cost less CPU, and a slow client holds one of them in memory.
CHUNK_BYTES, SMALL_CHUNK_BYTES = 512 * 1024, 16 * 1024

#: Bytes that all paused consumers of the process hold, roughly; and the part of what is
#: left of that which one chunk may be.
MAX_HELD_BYTES, _SHARE = 32 * 1024 * 1024, 64

ChunkSource = Callable[[int, int], Deferred[bytes]]


class ConsumerStopped(Exception):
    """The consumer stopped reading, for example because its peer disconnected."""


class TooLong(Exception):
    """A body is longer than its limit."""


class ShortRead(Exception):
    """A source ended before the requested number of bytes."""


@attrs.define(eq=False)
class HeldBytes:
    """Counts the bytes that paused consumers have buffered.

    Each may hold a chunk for as long as its client needs, and there may be thousands.
    The more they hold, the smaller new chunks are; nobody has to wait for others.

    :ivar held: bytes buffered now.
    """

    _max_bytes_held: int = MAX_HELD_BYTES
    held: int = 0

    @property
    def chunk_bytes(self) -> int:
        """The number of bytes to read at once."""
        share = max(0, self._max_bytes_held - self.held) // _SHARE
        return max(SMALL_CHUNK_BYTES, min(CHUNK_BYTES, share))


#: Shared by all producers: the limit is that of the process.
HELD = HeldBytes()


@implementer(IPushProducer)
@attrs.define(eq=False)
class ChunkProducer:
    """Pushes ``remaining`` bytes from ``offset`` of a source into a consumer.

    One chunk is fetched at a time, and only while the consumer is not paused.
    """

    _source: ChunkSource
    _consumer: IConsumer
    _offset: int
    _remaining: int
    _total_held: HeldBytes = HELD
    _held: int = 0
    _done: Deferred[None] | None = None
    _fetch: Deferred[bytes] | None = None
    _paused: bool = False
    _pumping: bool = False

    def start(self) -> Deferred[None]:
        """Start; call once.

        :return: fires when the last byte was written. Fails with
            :class:`ConsumerStopped` if the consumer stops us, :class:`ShortRead`
            if the source ends early, or as the source does. Cancelling stops.
        """
        if self._remaining <= 0:
            return succeed(None)
        done: Deferred[None] = Deferred(lambda _: self._detach())
        self._done = done
        self._consumer.registerProducer(self, True)
        self._pump()
        return done

    def pauseProducing(self) -> None:
        """Stop fetching until resumed."""
        self._paused = True

    def resumeProducing(self) -> None:
        """Continue fetching."""
        self._paused = False
        self._set_held(0)
        self._pump()

    def stopProducing(self) -> None:
        """Stop for good: the consumer is gone."""
        self._finish(Failure(ConsumerStopped()))

    def _pump(self) -> None:
        # A source that fires at once calls this again from within the loop: returning
        # lets that loop continue, and the stack does not grow.
        if self._pumping:
            return
        self._pumping = True
        while not self._paused and self._done is not None and self._fetch is None:
            size = min(self._total_held.chunk_bytes, self._remaining)
            self._fetch = self._source(self._offset, size)
            self._fetch.addCallbacks(self._deliver, self._fail)
        self._pumping = False

    def _fail(self, failure: Failure) -> None:
        self._fetch = None
        self._finish(failure)

    def _deliver(self, chunk: bytes) -> None:
        self._fetch = None
        if self._done is None:
            return
        if not chunk:
            self._finish(Failure(ShortRead(f"{self._remaining} bytes are missing")))
            return
        self._offset += len(chunk)
        self._remaining -= len(chunk)
        self._consumer.write(chunk)
        if self._remaining <= 0:
            self._finish(None)
        elif self._paused and self._done is not None:
            self._set_held(len(chunk))
        self._pump()

    def _set_held(self, size: int) -> None:
        self._total_held.held += size - self._held
        self._held = size

    def _finish(self, result: Failure | None) -> None:
        if self._done is None:
            return
        done = self._done
        self._detach()
        done.callback(None) if result is None else done.errback(result)

    def _detach(self) -> None:
        self._done = None
        self._set_held(0)
        self._consumer.unregisterProducer()
        if self._fetch is not None:
            self._fetch.cancel()


@implementer(IConsumer)
@attrs.define(eq=False)
class BoundedConsumer:
    """Collects a small body in memory, and stops one that is too long.

    :ivar overflowed: more than ``max_bytes`` came, and the producer was stopped.
    """

    _max_bytes: int
    _producer: IProducer | None = None
    _chunks: list[bytes] = attrs.field(factory=list)
    _size: int = 0
    overflowed: bool = False

    @property
    def content(self) -> bytes:
        """The collected bytes.

        :raise TooLong: the body exceeded the limit.
        """
        if self.overflowed:
            raise TooLong(f"more than {self._max_bytes} bytes")
        return b"".join(self._chunks)

    def registerProducer(self, producer: IProducer, streaming: bool) -> None:
        """Register a push producer; it is never paused, as the limit is small."""
        self._producer = producer

    def unregisterProducer(self) -> None:
        """Forget the producer."""
        self._producer = None

    def write(self, data: bytes) -> None:
        """Append a chunk, or stop the producer if it exceeds the limit."""
        self._size += len(data)
        if self._size <= self._max_bytes:
            self._chunks.append(data)
            return
        self.overflowed = True
        self._chunks.clear()
        if self._producer is not None:
            self._producer.stopProducing()


@attrs.define(eq=False)
class Watchdog:
    """Calls a function ``seconds`` after it was last armed.

    :ivar is_armed: it is to be called.
    """

    _clock: IReactorTime
    _seconds: float
    _on_timeout: Callable[[], None]
    _call: IDelayedCall | None = None

    @property
    def is_armed(self) -> bool:
        """Tell whether the timeout is running."""
        return self._call is not None and self._call.active()

    def arm(self, seconds: float | None = None) -> None:
        """Start or restart the timeout.

        :param seconds: instead of the usual ones, this time.
        """
        wait = self._seconds if seconds is None else seconds
        if self._call is not None and self._call.active():
            self._call.reset(wait)
        else:
            self._call = self._clock.callLater(wait, self._on_timeout)

    def disarm(self) -> None:
        """Cancel the timeout, until armed again."""
        call, self._call = self._call, None
        if call is not None and call.active():
            call.cancel()
