"""Files to sockets."""

from __future__ import annotations

import os
import socket

from twisted.internet.defer import (
    CancelledError,
    Deferred,
)
from twisted.trial.unittest import SynchronousTestCase

from txregistry.flow import sendfile
from txregistry.flow.sendfile import WARM_BYTES, FileSender, offer_file
from txregistry.flow.streams import (
    BoundedConsumer,
    ConsumerStopped,
    ShortRead,
)


class FakeTransport:
    """A TCP transport with a real socket, whose reactor we are."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock, self.producer, self.streaming = sock, None, True
        self.wants_write = False

    def fileno(self) -> int:
        return self.sock.fileno()

    def startWriting(self) -> None:
        self.wants_write = True

    def registerProducer(self, producer, streaming) -> None:
        self.producer, self.streaming = producer, streaming
        if not streaming:
            producer.resumeProducing()

    def unregisterProducer(self) -> None:
        self.producer = None

    def loseConnection(self) -> None:
        self.sock.close()

    def write_ready(self) -> None:
        self.wants_write = False
        self.producer.resumeProducing()


class SendfileTests(SynchronousTestCase):
    """File to socket."""

    def setUp(self) -> None:
        path = self.mktemp()
        self.content = os.urandom(3_000_000)
        with open(path, "wb") as file:
            file.write(self.content)
        self.file = os.open(path, os.O_RDONLY)
        self.addCleanup(os.close, self.file)
        ours, self.peer = socket.socketpair()
        for end in (ours, self.peer):
            end.setblocking(False)
            self.addCleanup(end.close)
        self.transport = FakeTransport(ours)
        self.usual = object()
        self.warmed: list[tuple[int, int, Deferred[None]]] = []
        self.expected: list[tuple[int, int, int, Deferred[None]]] = []
        self.patch(sendfile, "is_cached", lambda file, offset: offset < self.cold)
        self.cold = 3_000_000

    def send(self, offset: int, size: int) -> Deferred[None]:
        self.sender = FileSender(
            self.transport, self.usual, self.file, offset, size, self.warm
        )
        return self.sender.start()

    def warm(self, size: int, offset: int, ahead: int) -> Deferred[None]:
        done: Deferred[None] = Deferred()
        if offset > self.sender._offset:
            self.expected.append((offset, size, ahead, done))
        else:
            self.warmed.append((offset, size, done))
        return done

    def received(self) -> bytes:
        try:
            return self.peer.recv(1 << 20)
        except BlockingIOError:
            return b""

    def test_whole_file(self) -> None:
        """All bytes arrive in order, and the usual producer is back at the end."""
        done = self.send(1000, 2_000_000)
        self.assertEqual(self.received(), b"")  # not before the buffer is empty
        found = b""
        while not done.called:
            self.transport.write_ready()
            found += self.received()
        found += self.received()
        self.successResultOf(done)
        self.assertEqual(found, self.content[1000:2_001_000])
        self.assertIs(self.transport.producer, self.usual)
        self.assertTrue(self.transport.streaming)

    def test_what_is_not_in_memory(self) -> None:
        """A thread reads each part of it first, and the reactor waits for none."""
        self.cold = 1_000_000
        done = self.send(0, 2_000_000)
        found = b""
        for _ in range(1000):
            if self.transport.wants_write:
                self.transport.write_ready()
            elif self.warmed and not self.warmed[-1][2].called:
                offset, _, waits = self.warmed[-1]
                self.assertEqual(len(found + self.received()), offset)
                waits.callback(None)
            found += self.received()
        self.successResultOf(done)
        self.assertEqual(found, self.content[:2_000_000])
        parts = [(offset, size) for offset, size, _ in self.warmed]
        self.assertEqual(parts[0], (3 * WARM_BYTES, WARM_BYTES))
        self.assertEqual(sum(size for _, size in parts), 2_000_000 - 3 * WARM_BYTES)

    def test_reading_ahead(self) -> None:
        """A thread begins with what is wanted soon, one part at a time."""
        self.patch(sendfile, "READ_AHEAD_BYTES", 4 * WARM_BYTES)
        self.cold = 0
        done = self.send(0, 3_000_000)
        self.transport.write_ready()
        ((offset, size, ahead, reading),) = self.expected
        self.assertEqual((offset, size), (3 * WARM_BYTES, WARM_BYTES))
        self.assertEqual(ahead, 4 * WARM_BYTES)
        self.go_on(3 * WARM_BYTES)
        self.assertEqual(len(self.expected), 1)  # the first is under way
        # A disk that fails says so again when the bytes are to be sent.
        reading.errback(OSError(5, "broken"))
        self.go_on(6 * WARM_BYTES)
        self.assertEqual(self.expected[1][0], 7 * WARM_BYTES)
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.assertTrue(self.expected[1][3].called)

    def go_on(self, end: int) -> None:
        """Send all before an offset, having it in memory."""
        self.cold = end
        for _ in range(100):
            self.transport.write_ready()
            self.received()
            if self.sender._offset < end and not self.warmed[-1][2].called:
                self.warmed[-1][2].callback(None)
        self.assertEqual(self.sender._offset, end)

    def test_what_cannot_be_read(self) -> None:
        """What is wrong with the disk is said, and the connection goes on."""
        self.cold = 0
        done = self.send(0, 10)
        self.transport.write_ready()
        self.warmed[0][2].errback(OSError(5, "broken"))
        self.failureResultOf(done, OSError)
        self.assertIs(self.transport.producer, self.usual)

    def test_gone_while_a_thread_reads(self) -> None:
        """Nothing is sent to who has gone meanwhile."""
        self.cold = 0
        for go in (Deferred.cancel, lambda _: self.transport.producer.stopProducing()):
            done = self.send(0, 10)
            self.transport.write_ready()
            go(done)
            self.failureResultOf(done, CancelledError, ConsumerStopped)
            self.assertTrue(self.warmed[-1][2].called)
        self.assertEqual(self.received(), b"")

    def test_file_that_is_too_short(self) -> None:
        """Fewer bytes than promised are ShortRead."""
        self.cold = 4_000_000
        done = self.send(2_999_990, 100)
        for _ in range(10):
            if not done.called:
                self.transport.write_ready()
        self.failureResultOf(done, ShortRead)

    def test_peer_that_goes(self) -> None:
        """A broken socket is ConsumerStopped."""
        done = self.send(0, 3_000_000)
        self.peer.close()
        while not done.called:
            self.transport.write_ready()
        self.failureResultOf(done, ConsumerStopped)
        self.assertIs(self.transport.producer, self.usual)

    def test_lost_connection(self) -> None:
        """The transport says that it is over."""
        done = self.send(0, 3_000_000)
        self.transport.producer.stopProducing()
        self.failureResultOf(done, ConsumerStopped)

    def test_cancel(self) -> None:
        """The usual producer is back, and no byte is sent any more."""
        done = self.send(0, 3_000_000)
        done.cancel()
        self.failureResultOf(done, CancelledError)
        self.assertIs(self.transport.producer, self.usual)

    def test_consumer_that_takes_no_files(self) -> None:
        """Any other consumer is to be written to."""
        self.assertIsNone(offer_file(BoundedConsumer(1), self.file, 0, 10, self.warm))
