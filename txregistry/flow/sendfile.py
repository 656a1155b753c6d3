"""File to socket without copying, on plain TCP.

A consumer that sits on a TCP transport says so by providing
:class:`IFileConsumer`; a reader that has a file descriptor then hands that over
instead of bytes. Neither needs to know what the other is.

Note [Sendfile and the transport]. A TCP transport calls ``resumeProducing`` of a
*pull* producer whenever its own buffer is empty and the socket is writable, and once
from within ``registerProducer``, when the buffer may hold the head of the answer. So
for the length of a file the usual producer (the HTTP channel) is unregistered and
this one registered as a pull producer; the first call only asks to be called again,
each further one sends one piece and asks again. At the end the channel is put back.
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

#: Bytes per system call. Pieces that fit into the kernel's pipe (64 KiB) with room to
#: spare cost about a third less CPU than long ones, over loopback.
PIECE_BYTES = 48 * 1024

#: System calls before other clients get their turn, if the socket takes that much.
PIECES_PER_TURN = 64

#: The kernel is asked to read this far ahead, so that a piece is in memory when its
#: turn comes and the reactor does not wait for the disk.
READ_AHEAD_BYTES = 4 * 1024 * 1024

#: Bytes of which the last is looked at before they are sent: if it is not in memory, a
#: thread reads them first.
WARM_BYTES = 256 * 1024

#: Has so many bytes from an offset of the file in memory when it fires.
Warm = Callable[[int, int], Deferred[None]]


class IFileConsumer(Interface):
    """A consumer that can take bytes straight from a file descriptor."""

    def takes_files() -> bool:
        """Tell whether it can at this moment (plain TCP, no chunked coding)."""

    def write_file(
        descriptor: int, offset: int, size: int, warm: Warm
    ) -> Deferred[None]:
        """Send ``size`` bytes from ``offset`` of an open file.

        :param warm: is asked for what is not in memory, so that the reactor does not
            wait for the disk.
        :return: fires when the last byte was given to the kernel. Fails with
            ``ConsumerStopped`` if the peer goes, ``ShortRead`` if the file ends
            early. Cancelling stops; the caller keeps the descriptor open until then.
        """


class FileTransport(Protocol):
    """The part of :class:`twisted.internet.tcp.Connection` that is used here."""

    def fileno(self) -> int: ...

    def startWriting(self) -> None: ...

    def registerProducer(
        self, producer: IPushProducer | IPullProducer, streaming: bool
    ) -> None: ...

    def unregisterProducer(self) -> None: ...


@implementer(IPullProducer)
@attrs.define(eq=False)
class FileSender:
    """Send part of a file over a TCP transport; see Note [Sendfile and the transport].

    :ivar remaining: how many bytes the kernel has not taken yet.
    :ivar _usual: the producer to put back at the end.
    :ivar _warmed: up to where the file was found in memory, or brought there.
    """

    _transport: FileTransport
    _usual: IPushProducer
    _descriptor: int
    _offset: int
    remaining: int
    _warm: Warm
    _ahead: int = 0
    _warmed: int = 0
    _warming: Deferred[None] | None = None
    _done: Deferred[None] | None = None
    _registered: bool = False

    def start(self) -> Deferred[None]:
        """Begin; call once, with at least one byte to send."""
        done: Deferred[None] = Deferred(lambda _: self._leave())
        self._done = done
        self._transport.unregisterProducer()
        self._transport.registerProducer(self, False)
        return done

    def resumeProducing(self) -> None:
        """Send one piece: the transport's buffer is empty and the socket writable."""
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
            # The reactor learns of a broken socket by itself and closes it.
            self._transport.startWriting()
            self._finish(Failure(ConsumerStopped()))

    def stopProducing(self) -> None:
        """End for good: the connection was lost."""
        self._finish(Failure(ConsumerStopped()))

    def _read_ahead(self) -> None:
        end = self._offset + self.remaining
        if self._ahead >= min(end, self._offset + READ_AHEAD_BYTES // 2):
            return
        span = min(READ_AHEAD_BYTES, self.remaining)
        self._ahead = self._offset + span
        if not is_in_memory(self._descriptor, self._ahead - 1):
            os.posix_fadvise(
                self._descriptor, self._offset, span, os.POSIX_FADV_WILLNEED
            )

    def _send_pieces(self) -> None:
        socket = self._transport.fileno()
        for _ in range(PIECES_PER_TURN):
            self._read_ahead()
            if not self._is_warm():
                return
            size = min(PIECE_BYTES, self.remaining, self._warmed - self._offset)
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

    def _is_warm(self) -> bool:
        """Tell whether what is next is in memory; else a thread begins to read it."""
        if self._offset < self._warmed:
            return True
        size = min(WARM_BYTES, self.remaining)
        self._warmed = self._offset + size
        if is_in_memory(self._descriptor, self._warmed - 1):
            return True
        self._warming = self._warm(size, self._offset)
        self._warming.addCallbacks(self._go_on, self._cannot_read)
        return False

    def _go_on(self, _: None) -> None:
        self._warming = None
        if self._done is not None:
            self._transport.startWriting()

    def _cannot_read(self, failure: Failure) -> None:
        self._warming = None
        self._finish(failure)

    def _finish(self, result: Failure | None) -> None:
        if self._done is None:
            return
        done = self._done
        self._leave()
        done.callback(None) if result is None else done.errback(result)

    def _leave(self) -> None:
        self._done = None
        if self._warming is not None:
            self._warming.cancel()
        self._transport.unregisterProducer()
        self._transport.registerProducer(self._usual, True)


def is_in_memory(descriptor: int, offset: int) -> bool:
    """Tell whether a byte of a file can be read without waiting for the disk.

    Asking the kernel to read what it has costs more than this look. Where it cannot
    be told, the answer is no.
    """
    try:
        return os.preadv(descriptor, [bytearray(1)], offset, os.RWF_NOWAIT) == 1
    except OSError:
        return False


def offer_file(
    consumer: IConsumer, descriptor: int, offset: int, size: int, warm: Warm
) -> Deferred[None] | None:
    """Send part of a file the short way if the consumer can take it.

    :return: as :meth:`IFileConsumer.write_file`, or ``None`` if it has to be read
        and written instead.
    """
    if size <= 0 or not takes_files(consumer):
        return None
    taker = cast(IFileConsumer, consumer)
    done: Deferred[None] = taker.write_file(descriptor, offset, size, warm)
    return done


def takes_files(consumer: IConsumer) -> bool:
    """Tell whether a consumer can be handed a file descriptor at this moment."""
    if not IFileConsumer.providedBy(consumer):
        return False
    return bool(cast(IFileConsumer, consumer).takes_files())


def as_file_transport(transport: ITransport) -> FileTransport:
    """View a plain TCP transport as what a :class:`FileSender` needs."""
    return cast(FileTransport, transport)
