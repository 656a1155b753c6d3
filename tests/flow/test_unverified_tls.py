"""TLS to whoever answers."""

from __future__ import annotations

from OpenSSL import SSL
from twisted.internet.ssl import KeyPair, PrivateCertificate
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface.verify import verifyObject

from txregistry.flow.unverified_tls import UnverifiedTls


def self_signed(name: str) -> PrivateCertificate:
    """Give a certificate that nobody trusts."""
    key = KeyPair.generate(size=2048)
    return key.selfSignedCert(1, CN=name)


class UnverifiedTlsTests(SynchronousTestCase):
    """A handshake in memory."""

    def setUp(self) -> None:
        self.names: list[bytes | None] = []
        self.server = self_signed("other.example")
        context = self.server.options().getContext()
        context.set_tlsext_servername_callback(
            lambda connection: self.names.append(connection.get_servername())
        )
        context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
        self.context = context

    def shake_hands(self, policy: UnverifiedTls, host: bytes) -> SSL.Connection:
        """Connect; give the server's side."""
        creator = policy.creatorForNetloc(host, 443)
        client = creator.clientConnectionForTLS(None)
        client.set_connect_state()
        server = SSL.Connection(self.context, None)
        server.set_accept_state()
        for _ in range(4):
            for one, other in ((client, server), (server, client)):
                try:
                    one.do_handshake()
                except SSL.WantReadError:
                    pass  # the other side is to answer
                self.carry(one, other)
        return server

    def carry(self, one: SSL.Connection, other: SSL.Connection) -> None:
        """Give to one what the other has sent."""
        try:
            other.bio_write(one.bio_read(1 << 16))
        except SSL.WantReadError:
            return

    def test_interface(self) -> None:
        """It is a policy as agents take them."""
        verifyObject(IPolicyForHTTPS, UnverifiedTls())

    def test_another_name(self) -> None:
        """A certificate of nobody, for another name, is as good as any."""
        server = self.shake_hands(UnverifiedTls(), b"some.example")
        self.assertTrue(server.get_cipher_name())
        self.assertIsNone(server.get_peer_certificate())
        self.assertEqual(self.names, [b"some.example"])

    def test_address(self) -> None:
        """No address is sent as a name."""
        for host in (b"127.0.0.1", b"::1", b"[::1]"):
            self.names.clear()
            server = self.shake_hands(UnverifiedTls(), host)
            self.assertTrue(server.get_cipher_name())
            self.assertIn(self.names, ([], [None]))

    def test_client_certificate(self) -> None:
        """Ours is shown to a server that asks for it."""
        ours = self_signed("client.example")
        server = self.shake_hands(UnverifiedTls(ours), b"some.example")
        shown = server.get_peer_certificate()
        self.assertEqual(shown.get_subject().CN, "client.example")
