"""What we rely on of Twisted's transports and Deferreds, and it does not promise."""

from __future__ import annotations

import gc
import socket
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol
from twisted.internet.ssl import CertificateOptions
from twisted.internet.tcp import Server
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from txregistry.speed.twisted_private import (
    can_send,
    hold_failure,
    is_plain_tcp,
    mark_failure_seen,
    unsent_bytes,
)


class Reactor:
    """Takes those who want to read and write, and does nothing for them."""

    def _take(self, other: object) -> None:
        return None

    addReader = addWriter = removeReader = removeWriter = _take


class TransportTests(SynchronousTestCase):
    """A transport over a pair of sockets."""

    def setUp(self) -> None:
        ours, self.theirs = socket.socketpair()
        self.addCleanup(ours.close)
        self.addCleanup(self.theirs.close)
        ours.setblocking(False)
        reactor: Any = Reactor()
        address: Any = ("127.0.0.1", 1)
        server: Any = None
        self.transport: Any = Server(ours, Protocol(), address, server, 1, reactor)
        self.transport.protocol.makeConnection(self.transport)

    def test_tls(self) -> None:
        """TLS that begins later is no plain TCP: eager writes would go past it."""
        self.assertTrue(is_plain_tcp(self.transport))
        self.transport.startTLS(CertificateOptions())
        self.assertFalse(is_plain_tcp(self.transport))

    def test_what_waits(self) -> None:
        """What is written waits, is counted, and keeps others from being sent."""
        self.assertTrue(can_send(self.transport))
        self.assertEqual(unsent_bytes(self.transport), 0)
        self.transport.write(b"first")
        self.transport.writeSequence([b", ", b"next"])
        self.assertEqual(unsent_bytes(self.transport), 11)
        self.assertFalse(can_send(self.transport))
        self.transport.doWrite()
        self.assertEqual(unsent_bytes(self.transport), 0)
        self.assertTrue(can_send(self.transport))

    def test_eager(self) -> None:
        """What is sent past the buffer says how much of it the kernel took."""
        self.assertEqual(self.transport.writeSomeData(b"now"), 3)
        self.assertEqual(self.theirs.recv(10), b"now")

    def test_what_is_left(self) -> None:
        """What the kernel has taken of a piece is not counted any more."""
        size = 8 * 1024 * 1024
        self.transport.write(bytes(size))
        self.transport.doWrite()
        left = unsent_bytes(self.transport)
        self.assertTrue(0 < left < size)

    def test_closed(self) -> None:
        """Nothing is sent past the end of a connection, or of its one half."""
        for close in ("loseConnection", "loseWriteConnection"):
            self.setUp()
            self.transport.write(b"last")
            getattr(self.transport, close)()
            self.transport.doWrite()
            self.assertFalse(can_send(self.transport), close)


class FailureTests(SynchronousTestCase):
    """A Deferred that was made to fail is like one that was told."""

    def failed(self) -> Deferred[None]:
        deferred: Deferred[None] = Deferred()
        hold_failure(deferred, Failure(ZeroDivisionError()))
        return deferred

    def test_handled(self) -> None:
        """It calls its errbacks."""
        self.failureResultOf(self.failed(), ZeroDivisionError)

    def test_unhandled(self) -> None:
        """A failure that nobody has seen is logged."""
        self.failed()
        gc.collect()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_seen(self) -> None:
        """One that was seen is not."""
        mark_failure_seen(self.failed())
        gc.collect()
        self.assertEqual(self.flushLoggedErrors(ZeroDivisionError), [])
