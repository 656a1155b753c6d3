"""TLS in large pieces, between two protocols in memory."""

from __future__ import annotations

import os
from typing import Any

from OpenSSL import SSL
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.ssl import PrivateCertificate, optionsForClientTLS
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.test import iosim
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from tests.auth.keys import ec_key, identity
from txregistry.speed.tls import (
    PIECE_BYTES,
    READ_BYTES,
    LargePieces,
    TlsClientEndpoint,
    TlsFactory,
    read_at_once,
    write_in_pieces,
)

HOST = "registry.example"


class Kept(Protocol):
    """Keeps what comes, piece by piece, and how it ended."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.ended: Failure | None = None

    def dataReceived(self, data: bytes) -> None:
        self.pieces.append(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.ended = reason


class TlsCase(SynchronousTestCase):
    """A server of ours and a client of Twisted's."""

    is_whole = True

    def setUp(self) -> None:
        self.clock = Clock()
        made = identity(HOST, ec_key(), hosts=[HOST])
        certificate = PrivateCertificate.loadPEM(made.pem + made.key_pem)
        self.options = certificate.options()
        if self.is_whole:
            write_in_pieces(self.options.getContext())
        self.creator = optionsForClientTLS(HOST, certificate)
        self.server, self.client = Kept(), Kept()
        self.over_server = self.wrapped(TlsFactory, self.options, False, self.server)
        over_client = self.wrapped(TLSMemoryBIOFactory, self.creator, True, self.client)
        self.pump = iosim.connect(
            self.over_server,
            iosim.FakeTransport(self.over_server, True),
            over_client,
            iosim.FakeTransport(over_client, False),
            clock=self.clock,
        )

    def wrapped(self, kind: Any, options: Any, is_client: bool, inner: Protocol) -> Any:
        made = Factory.forProtocol(lambda: inner)
        return kind(options, is_client, made, self.clock).buildProtocol(None)

    def came(self, to: Kept) -> bytes:
        self.pump.flush()
        return b"".join(to.pieces)


class PiecesTests(TlsCase):
    """What is sent comes, whatever its size, and ends as TLS ends."""

    def test_sent(self) -> None:
        """Bytes of any length come as they were sent."""
        self.assertIsInstance(self.over_server, LargePieces)
        sent = b""
        for size in (1, 16_384, 16_385, PIECE_BYTES, PIECE_BYTES + 1, 1_000_000):
            content = os.urandom(size)
            self.server.transport.write(content)
            sent += content
            self.assertEqual(self.came(self.client), sent)

    def test_one_call(self) -> None:
        """A piece of several records is encrypted by one call, if that can be set."""
        size = PIECE_BYTES if hasattr(SSL.Context, "clear_mode") else 16_384
        sizes: list[int] = []
        send = SSL.Connection.send

        def counting(this: Any, data: Any, flags: int = 0) -> int:
            sizes.append(send(this, data, flags))
            return sizes[-1]

        self.patch(SSL.Connection, "send", counting)
        self.server.transport.write(b"x" * (3 * PIECE_BYTES))
        self.assertEqual(sizes, [size] * (3 * PIECE_BYTES // size))

    def test_received(self) -> None:
        """What one read holds is one piece; an unfinished record waits."""
        content = os.urandom(200_000)
        self.client.transport.write(content)
        self.clock.advance(0)
        wire = self.pump.clientIO.getOutBuffer()
        self.over_server.dataReceived(wire[:150_000])
        self.over_server.dataReceived(wire[150_000:])
        self.assertEqual(b"".join(self.server.pieces), content)
        self.assertEqual(len(self.server.pieces), 2)

    def test_end(self) -> None:
        """What came before the end is given, and both see a clean end."""
        for who, whom in (("client", "server"), ("server", "client")):
            self.setUp()
            ender, other = getattr(self, who), getattr(self, whom)
            ender.transport.write(b"last words")
            ender.transport.loseConnection()
            self.assertEqual(self.came(other), b"last words")
            for kept in (ender, other):
                assert kept.ended is not None
                self.assertEqual(kept.ended.type.__name__, "ConnectionDone")

    def test_damaged(self) -> None:
        """A record that was changed on its way ends the connection."""
        self.client.transport.write(b"good")
        self.assertEqual(self.came(self.server), b"good")
        self.client.transport.write(b"x" * 100)
        self.clock.advance(0)
        wire = bytearray(self.pump.clientIO.getOutBuffer())
        wire[-1] ^= 1
        self.over_server.dataReceived(bytes(wire))
        self.pump.flush()
        self.assertEqual(self.server.pieces, [b"good"])
        assert self.server.ended is not None
        self.assertTrue(self.server.ended.check(SSL.Error))

    def test_aborted_while_it_comes(self) -> None:
        """Who aborts gets nothing more."""
        self.server.dataReceived = (  # type: ignore[method-assign]
            lambda data: self.server.transport.abortConnection()
        )
        self.client.transport.write(b"x" * 100_000)
        self.pump.flush()
        self.assertEqual(self.server.pieces, [])
        self.assertIsNotNone(self.server.ended)

    def test_nothing(self) -> None:
        """Writing nothing, or after the end, sends nothing."""
        self.server.transport.write(b"")
        self.clock.advance(0)
        self.assertIsNone(self.pump.serverIO.getOutBuffer())
        self.server.transport.loseConnection()
        self.pump.flush()
        self.server.transport.write(b"late")
        self.assertEqual(self.came(self.client), b"")


class RecordsTests(PiecesTests):
    """The same where pyOpenSSL cannot be told, and takes a record at a time."""

    is_whole = False

    def test_one_call(self) -> None:
        """Each call takes one record."""
        context = SSL.Context(SSL.TLS_METHOD)
        write_in_pieces(context)
        write_in_pieces(object())  # type: ignore[arg-type]
        self.server.transport.write(b"x" * (3 * PIECE_BYTES))
        self.assertEqual(self.came(self.client), b"x" * (3 * PIECE_BYTES))


@implementer(IStreamClientEndpoint)
class Plain:
    """Connects to nobody."""

    def __init__(self, clock: Clock) -> None:
        self.transport = StringTransport()

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        made = protocolFactory.buildProtocol(None)
        made.makeConnection(self.transport)
        return succeed(made)


class ClientTests(TlsCase):
    """Connections to others."""

    def test_connect(self) -> None:
        """It fires with the protocol inside, which is over TLS in large pieces."""
        endpoint = TlsClientEndpoint(self.creator, Plain(self.clock))
        verifyObject(IStreamClientEndpoint, endpoint)
        inner = Kept()
        connecting = endpoint.connect(Factory.forProtocol(lambda: inner))
        self.assertIs(self.successResultOf(connecting), inner)
        self.assertIsInstance(inner.transport, LargePieces)


class ReadTests(TlsCase):
    """The size of reads."""

    def test_under_tls(self) -> None:
        """It is set where the socket is, and bounded, as OpenSSL keeps its buffers."""
        plain = StringTransport()
        read_at_once(plain, 5_000_000)
        self.assertEqual(plain.bufferSize, 5_000_000)
        for size, expected in ((5_000_000, READ_BYTES), (1000, 1000)):
            read_at_once(self.server.transport, size)
            self.assertEqual(self.pump.serverIO.bufferSize, expected)
        read_at_once(None, 5)
