"""What we rely on of Twisted's TLS, and it does not promise."""

from __future__ import annotations

from collections import Counter

from OpenSSL.SSL import Connection
from twisted.protocols.tls import TLSMemoryBIOFactory

from tests.speed import test_tls
from txregistry.speed.tls_private import OpenTls


class Told(OpenTls):
    """Counts what it is asked to do, and does it as Twisted would."""

    calls: Counter[str]

    def encrypt(self, plain: bytes) -> None:
        self.calls["encrypt"] += len(plain)
        super().encrypt(plain)

    def decrypt(self) -> None:
        self.calls["decrypt"] += 1
        super().decrypt()

    def send_encrypted(self) -> None:
        self.calls["send_encrypted"] += 1
        super().send_encrypted()


class ToldFactory(TLSMemoryBIOFactory):
    """Makes them."""

    protocol = Told


class OpenTests(test_tls.TlsCase):
    """The steps of a connection can be overridden."""

    def setUp(self) -> None:
        self.calls = Told.calls = Counter()
        self.patch(test_tls, "TlsFactory", ToldFactory)
        super().setUp()

    def test_steps(self) -> None:
        """Each is taken by our names, for what goes and for what comes."""
        self.assertGreater(self.calls["send_encrypted"], 0, "the handshake")
        self.calls.clear()
        self.server.transport.write(b"answer")
        self.assertEqual(self.came(self.client), b"answer")
        self.assertEqual(self.calls["encrypt"], 6)
        self.client.transport.write(b"question")
        self.assertEqual(self.came(self.server), b"question")
        self.assertGreater(self.calls["decrypt"], 0)

    def test_state(self) -> None:
        """OpenSSL's side of it, and whether it is over."""
        self.assertIsInstance(self.over_server.openssl, Connection)
        self.assertFalse(self.over_server.is_over)
        self.server.transport.loseConnection()
        self.pump.flush()
        self.assertTrue(self.over_server.is_over)

    def test_held(self) -> None:
        """What OpenSSL does not take now goes when more has come."""
        self.over_server.hold(b"later")
        self.client.transport.write(b"x")
        self.assertEqual(self.came(self.client), b"later")

    def test_end(self) -> None:
        """An end by the peer is answered, and an aborted one gets nothing."""
        self.over_server.end()
        self.assertTrue(self.over_server.is_over)
        self.over_server.abortConnection()
        self.over_server.pass_on(b"late")
        self.assertEqual(self.server.pieces, [])
