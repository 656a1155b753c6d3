"""Short answers leave at once, and in order with all that was sent before."""

from __future__ import annotations

import errno

from twisted.internet.tcp import Connection
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from txregistry.speed.eager_write import send_now
from txregistry.speed.twisted_private import is_plain_tcp


class Socket:
    """Takes a number of bytes, then no more; or has lost its peer."""

    def __init__(self, room: int, lost: bool = False) -> None:
        self.room, self.lost = room, lost
        self.sent = b""

    def send(self, data: memoryview) -> int:
        if self.lost:
            raise OSError(errno.EPIPE, "lost")
        if not self.room:
            raise BlockingIOError(errno.EWOULDBLOCK, "full")
        taken = bytes(data[: self.room])
        self.room -= len(taken)
        self.sent += taken
        return len(taken)

    def setblocking(self, blocking: bool) -> None:
        """It never does."""

    def fileno(self) -> int:
        return -1


class Reactor:
    """Remembers who waits to write."""

    def __init__(self) -> None:
        self.writers: list[object] = []

    def addWriter(self, writer: object) -> None:
        self.writers.append(writer)


class SendNowTests(SynchronousTestCase):
    """A transport over a socket."""

    def connect(self, room: int = 1000, lost: bool = False) -> Connection:
        self.socket, self.reactor = Socket(room, lost), Reactor()
        transport = Connection(self.socket, None, self.reactor)
        transport.connected = True
        return transport

    def test_all_at_once(self) -> None:
        """The reactor has nothing to do."""
        transport = self.connect()
        self.assertTrue(is_plain_tcp(transport))
        send_now(transport, b"answer")
        self.assertEqual(self.socket.sent, b"answer")
        self.assertEqual(self.reactor.writers, [])

    def test_socket_that_takes_a_part(self) -> None:
        """The rest waits, and what comes after it as well."""
        transport = self.connect(room=4)
        send_now(transport, b"answer")
        self.socket.room = 1000
        send_now(transport, b", next")
        self.assertEqual(self.socket.sent, b"answ")
        transport.reactor.removeWriter = self.reactor.writers.remove
        transport.doWrite()
        self.assertEqual(self.socket.sent, b"answer, next")

    def test_full_socket(self) -> None:
        """All of it waits."""
        transport = self.connect(room=0)
        send_now(transport, b"answer")
        self.assertEqual(transport._tempDataBuffer, [b"answer"])
        self.assertEqual(self.reactor.writers, [transport])

    def test_lost_peer(self) -> None:
        """The reactor finds out, and tells the protocol as ever."""
        transport = self.connect(lost=True)
        send_now(transport, b"answer")
        self.assertEqual(self.reactor.writers, [transport])

    def test_closed(self) -> None:
        """A transport that ends drops what comes, or sends it in its order."""
        for name in ("disconnecting", "_writeDisconnected"):
            transport = self.connect()
            setattr(transport, name, True)
            send_now(transport, b"answer")
            self.assertEqual(self.socket.sent, b"")

    def test_others(self) -> None:
        """TLS, and what is no socket, take it as they always do."""
        transport = StringTransport()
        self.assertFalse(is_plain_tcp(transport))
        send_now(transport, b"answer")
        self.assertEqual(transport.value(), b"answer")
        secure = self.connect()
        secure.TLS = True
        self.assertFalse(is_plain_tcp(secure))
