"""Send files to plain TCP sockets with ``sendfile``, without copying.

A consumer on a plain TCP transport provides :class:`IFileConsumer`; a reader with a
file descriptor then passes that instead of bytes.

Note [Sendfile and the transport]. A TCP transport calls ``resumeProducing`` of a
*pull* producer whenever its own buffer is empty and the socket is writable, and once
from within ``registerProducer``, when the buffer may still hold the response head. So
while a file is sent, the usual producer (the HTTP channel) is unregistered and the
:class:`FileSender` is registered as a pull producer. The first call only starts
writing; each further call sends some pieces and starts writing again. At the end the
channel is registered again.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Protocol, cast

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IConsumer,
    IPullProducer,
    IPushProducer,
    ITransport,
)
from twisted.python.failure import Failure
from zope.interface import Interface, implementer

from txregistry.flow.streams import ConsumerStopped, ShortRead

#: Bytes per system call. Pieces well below the size of the kernel's pipe (64 KiB) take
#: about a third less CPU than longer ones, over loopback.
PIECE_BYTES = 48 * 1024

#: System calls before other connections get their turn, if the socket stays writable.
PIECES_PER_TURN = 64

#: Bytes that the kernel is asked to read ahead, by the thread that reads some of them.
READ_AHEAD_BYTES = 4 * 1024 * 1024

#: Bytes checked at once before they are sent: if the last of them is not in the page
#: cache, a thread reads them all first.
WARM_BYTES = 256 * 1024

#: Called with a size, an offset, and the number of bytes from there that will be wanted
#: soon; fires when the first ones, as many as the size, are in the page cache.
Warm = Callable[[int, int, int], Deferred[None]]


class IFileConsumer(Interface):
    """A consumer that can take bytes straight from a file descriptor."""

    def takes_files() -> bool:
        """Return whether :meth:`write_file` works now: plain TCP, no chunked coding."""

    def write_file(
        descriptor: int, offset: int, size: int, warm: Warm
    ) -> Deferred[None]:
        """Send ``size`` bytes from ``offset`` of an open file.

        :param warm: called for bytes that are not in the page cache, so that the
            reactor does not wait for the disk.
        :return: fires when the kernel has accepted the last byte. Fails with
            ``ConsumerStopped`` if the connection is lost, ``ShortRead`` if the file
            ends early, or as ``warm`` does. Cancelling stops sending. The caller keeps
            the descriptor open until the Deferred has fired or failed.
        """


class FileTransport(Protocol):
    """The methods of :class:`twisted.internet.tcp.Connection` used here."""

    def fileno(self) -> int: ...

    def startWriting(self) -> None: ...

    def registerProducer(
        self, producer: IPushProducer | IPullProducer, streaming: bool
    ) -> None: ...

    def unregisterProducer(self) -> None: ...


@implementer(IPullProducer)
@attrs.define(eq=False)
class FileSender:
    """Sends part of a file over a TCP transport.

    See Note [Sendfile and the transport].

    :ivar remaining: bytes that the kernel has not accepted yet.
    :ivar _previous: the producer to register again at the end.
    :ivar _expected: offset up to which it was seen to that bytes are read ahead.
    :ivar _cached: offset up to which the file is known to be in the page cache.
    """

    _transport: FileTransport
    _previous: IPushProducer
    _descriptor: int
    _offset: int
    remaining: int
    _warm: Warm
    _expected: int = 0
    _cached: int = 0
    _warming: Deferred[None] | None = None
    _ahead: Deferred[None] | None = None
    _done: Deferred[None] | None = None
    _registered: bool = False

    def start(self) -> Deferred[None]:
        """Start sending; call once, with at least one byte to send.

        :return: as :meth:`IFileConsumer.write_file`.
        """
        done: Deferred[None] = Deferred(lambda _: self._restore())
        self._done = done
        self._transport.unregisterProducer()
        self._transport.registerProducer(self, False)
        return done

    def resumeProducing(self) -> None:
        """Send some pieces: the transport's buffer is empty, the socket is writable."""
        if self._done is None or self._warming is not None:
            return
        if not self._registered:
            self._registered = True
            self._transport.startWriting()
            return
        try:
            self._send_pieces()
        except BlockingIOError:
            self._transport.startWriting()
        except OSError:
            # The reactor detects the broken socket by itself and closes it.
            self._transport.startWriting()
            self._finish(Failure(ConsumerStopped()))

    def stopProducing(self) -> None:
        """Stop: the connection was lost."""
        self._finish(Failure(ConsumerStopped()))

    def _read_ahead(self) -> None:
        """Have a thread begin with what is half of the read-ahead away, if needed."""
        wanted = self._cached + READ_AHEAD_BYTES // 2
        if self._ahead is not None or not self._expected <= wanted < self._end:
            return
        self._expected = wanted + READ_AHEAD_BYTES // 2
        if not is_cached(self._descriptor, min(self._expected, self._end) - 1):
            self._ahead = self._warm_from(wanted)
            self._ahead.addBoth(self._read_some_ahead)

    def _read_some_ahead(self, _: object) -> None:
        # A disk that fails says so again when the bytes are to be sent.
        self._ahead = None

    def _warm_from(self, offset: int) -> Deferred[None]:
        left = self._end - offset
        return self._warm(min(WARM_BYTES, left), offset, min(READ_AHEAD_BYTES, left))

    @property
    def _end(self) -> int:
        return self._offset + self.remaining

    def _send_pieces(self) -> None:
        socket = self._transport.fileno()
        for _ in range(PIECES_PER_TURN):
            if not self._ensure_warm():
                return
            size = min(PIECE_BYTES, self.remaining, self._cached - self._offset)
            sent = os.sendfile(socket, self._descriptor, self._offset, size)
            self._offset += sent
            self.remaining -= sent
            if self.remaining <= 0:
                self._finish(None)
                return
            if sent == 0:
                self._finish(Failure(ShortRead(f"{self.remaining} bytes missing")))
                return
            if sent < size:
                break  # the socket is full
        self._transport.startWriting()

    def _ensure_warm(self) -> bool:
        """Return whether the next bytes are in the page cache; else start warming."""
        if self._offset < self._cached:
            return True
        self._cached = self._offset + min(WARM_BYTES, self.remaining)
        self._read_ahead()
        if is_cached(self._descriptor, self._cached - 1):
            return True
        self._warming = self._warm_from(self._offset)
        self._warming.addCallbacks(self._resume, self._warming_failed)
        return False

    def _resume(self, _: None) -> None:
        self._warming = None
        if self._done is not None:
            self._transport.startWriting()

    def _warming_failed(self, failure: Failure) -> None:
        self._warming = None
        self._finish(failure)

    def _finish(self, result: Failure | None) -> None:
        if self._done is None:
            return
        done = self._done
        self._restore()
        done.callback(None) if result is None else done.errback(result)

    def _restore(self) -> None:
        self._done = None
        for work in (self._warming, self._ahead):
            if work is not None:
                work.cancel()
        self._transport.unregisterProducer()
        self._transport.registerProducer(self._previous, True)


def is_cached(descriptor: int, offset: int) -> bool:
    """Return whether a byte of a file is in the page cache; false if unknown.

    This check costs less than requesting read-ahead of bytes that are cached already.
    """
    try:
        return os.preadv(descriptor, [bytearray(1)], offset, os.RWF_NOWAIT) == 1
    except OSError:
        return False


def offer_file(
    consumer: IConsumer, descriptor: int, offset: int, size: int, warm: Warm
) -> Deferred[None] | None:
    """Send part of a file by its descriptor if the consumer supports that now.

    :return: as :meth:`IFileConsumer.write_file`, or ``None`` if the caller has to read
        and write the bytes instead.
    """
    if size <= 0 or not takes_files(consumer):
        return None
    file_consumer = cast(IFileConsumer, consumer)
    done: Deferred[None] = file_consumer.write_file(descriptor, offset, size, warm)
    return done


def takes_files(consumer: IConsumer) -> bool:
    """Return whether a consumer accepts a file descriptor now."""
    if not IFileConsumer.providedBy(consumer):
        return False
    return bool(cast(IFileConsumer, consumer).takes_files())


def as_file_transport(transport: ITransport) -> FileTransport:
    """Cast a plain TCP transport to the protocol that :class:`FileSender` needs."""
    return cast(FileTransport, transport)
