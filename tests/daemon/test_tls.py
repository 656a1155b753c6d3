"""TLS on our own listener, in memory."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Any

from OpenSSL import SSL
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.logger import capturedLogs
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import SynchronousTestCase

from tests.auth.keys import Identity, authority, ec_key, identity, rsa_key
from txregistry.config.http import Tls
from txregistry.daemon.tls import (
    ReloadingCreator,
    load_certificates,
    make_options,
    wrap_endpoint,
)
from txregistry.testing.house import TestHouse
from txregistry.web.http.connections import ChannelLimits
from txregistry.web.http.serving import make_serving
from txregistry.web.http.site import RegistrySite

NOW = 1_700_000_000
PROTOCOLS = (b"h2", b"http/1.1")


class Echo(Protocol):
    """Sends back what comes."""

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data)


class Client:
    """A TLS client of the standard library, at the other end of a string.

    :ivar tls: tells what was agreed on.
    """

    def __init__(
        self, creator: Any, context: ssl.SSLContext, clock: Clock, session: Any = None
    ) -> None:
        factory = TLSMemoryBIOFactory(
            creator, False, Factory.forProtocol(Echo), clock=clock
        )
        self.server = factory.buildProtocol(None)
        self.transport = StringTransport()
        self.clock = clock
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(
            self.incoming,
            self.outgoing,
            server_hostname="registry.example",
            session=session,
        )
        self.server.makeConnection(self.transport)

    def _exchange(self) -> bool:
        sent = self.outgoing.read()
        if sent:
            self.server.dataReceived(sent)
        self.clock.advance(0.001)
        came = self.transport.value()
        self.transport.clear()
        self.incoming.write(came)
        if self.transport.disconnecting or self.transport.disconnected:
            self.incoming.write_eof()
        return bool(sent or came)

    def until_done(self, work: Any) -> Any:
        for _ in range(20):
            try:
                return work()
            except ssl.SSLWantReadError:
                self._exchange()
        raise AssertionError("the server says nothing")

    def say(self, text: bytes) -> bytes:
        """Send something and give what comes back.

        :raise ssl.SSLError: one of the two does not like the other.
        """
        self.until_done(self.tls.do_handshake)
        self.tls.write(text)
        return self.until_done(lambda: self.tls.read(100))


class TlsCase(SynchronousTestCase):
    """An authority, a certificate of it for the registry, and clients."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.directory.mkdir()
        self.clock = Clock()
        self.clock.advance(NOW)
        self.authority = authority("authority", ec_key())
        self.stranger = authority("stranger", ec_key(1))
        self.authorities = str(self.directory / "authorities.pem")
        Path(self.authorities).write_bytes(self.authority.pem)
        self.server = self.certificate("server", ec_key(2))
        self.certificate_path, self.key_path = self.server.write(
            self.directory, "server"
        )

    def certificate(
        self, name: str, key: Any, issuer: Identity | None = None
    ) -> Identity:
        hosts = ["registry.example"]
        return identity(name, key, issuer or self.authority, hosts=hosts)

    def tls(self, **changes: Any) -> Tls:
        return Tls(certificate=self.certificate_path, key=self.key_path, **changes)

    def creator(self, **changes: Any) -> ReloadingCreator:
        made = ReloadingCreator(self.tls(**changes), PROTOCOLS, self.clock)
        made.load()
        return made

    def context(self, who: Identity | None = None, **changes: Any) -> ssl.SSLContext:
        found = ssl.create_default_context(cafile=self.authorities)
        for name, value in changes.items():
            setattr(found, name, value)
        if who is not None:
            found.load_cert_chain(*who.write(self.directory, "client"))
        return found

    def connect(
        self, creator: Any, context: ssl.SSLContext | None = None, session: Any = None
    ) -> Client:
        return Client(creator, context or self.context(), self.clock, session)

    def gets_in(self, creator: Any, context: ssl.SSLContext | None = None) -> bool:
        """Tell whether a client is let in and answered."""
        try:
            return self.connect(creator, context).say(b"hello") == b"hello"
        except (ssl.SSLError, AssertionError):
            return False


class SuiteCase(TlsCase):
    """Clients that speak one version, or one suite."""

    def at(self, version: ssl.TLSVersion) -> ssl.SSLContext:
        context = self.context()
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
        return context

    def suite(self, creator: Any, names: str) -> str | None:
        context = self.at(ssl.TLSVersion.TLSv1_2)
        context.set_ciphers(names)
        client = self.connect(creator, context)
        try:
            client.say(b"x")
        except (ssl.SSLError, AssertionError):
            return None
        found = client.tls.cipher()
        return None if found is None else found[0]


class VersionTests(SuiteCase):
    """``http.tls.minimumtls`` and ``http.tls.ciphersuites``."""

    def test_default(self) -> None:
        """TLS 1.2 and 1.3 are spoken; what is older is not."""
        creator = self.creator()
        for version, expected in (
            (ssl.TLSVersion.TLSv1_3, True),
            (ssl.TLSVersion.TLSv1_2, True),
            (ssl.TLSVersion.TLSv1_1, False),
            (ssl.TLSVersion.TLSv1, False),
        ):
            self.assertEqual(self.gets_in(creator, self.at(version)), expected, version)

    def test_best_is_taken(self) -> None:
        """Of what both can speak the newest is spoken."""
        client = self.connect(self.creator())
        client.say(b"x")
        self.assertEqual(client.tls.version(), "TLSv1.3")

    def test_minimum(self) -> None:
        """A higher minimum shuts TLS 1.2 out."""
        creator = self.creator(minimumtls="tls1.3")
        self.assertFalse(self.gets_in(creator, self.at(ssl.TLSVersion.TLSv1_2)))
        self.assertTrue(self.gets_in(creator, self.at(ssl.TLSVersion.TLSv1_3)))

    def test_lower_minimum(self) -> None:
        """A lower minimum, where it is asked for, lets older clients in."""
        for minimum, version in (
            ("tls1.1", ssl.TLSVersion.TLSv1_1),
            ("tls1.0", ssl.TLSVersion.TLSv1),
        ):
            creator = self.creator(minimumtls=minimum)
            self.assertTrue(self.gets_in(creator, self.at(version)), minimum)
            self.assertTrue(self.gets_in(creator, self.at(ssl.TLSVersion.TLSv1_3)))

    def test_lower_minimum_is_a_minimum(self) -> None:
        """TLS 1.1 as the minimum does not open TLS 1.0."""
        creator = self.creator(minimumtls="tls1.1")
        self.assertFalse(self.gets_in(creator, self.at(ssl.TLSVersion.TLSv1)))

    def test_cipher_suites(self) -> None:
        """Of TLS 1.2 only the suites that are listed are spoken."""
        creator = self.creator(
            ciphersuites=("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",)
        )
        wanted = "ECDHE-ECDSA-AES256-GCM-SHA384"
        self.assertEqual(self.suite(creator, wanted), wanted)
        self.assertEqual(self.suite(creator, "ALL"), wanted)
        for other in ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"):
            self.assertIsNone(self.suite(creator, other), other)

    def test_default_suites(self) -> None:
        """Without a list the suites are ones that keep past traffic secret."""
        creator = self.creator()
        self.assertIsNotNone(self.suite(creator, "ECDHE-ECDSA-AES128-GCM-SHA256"))
        for weak in ("NULL", "aNULL:eNULL:@SECLEVEL=0", "ECDHE-ECDSA-NULL-SHA"):
            try:
                found = self.suite(creator, weak)
            except ssl.SSLError:
                continue  # this OpenSSL knows no such suite
            self.assertIsNone(found, weak)

    def test_suites_of_tls_1_3_only(self) -> None:
        """A list of suites of TLS 1.3, which are always on, leaves 1.2 as it is."""
        creator = self.creator(ciphersuites=("TLS_AES_128_GCM_SHA256",))
        self.assertTrue(self.gets_in(creator))

    def test_rsa(self) -> None:
        """A certificate may have an RSA key and a chain."""
        middle = authority("middle", rsa_key(1), self.authority)
        leaf = self.certificate("server", rsa_key(), middle)
        Path(self.certificate_path).write_bytes(leaf.pem + middle.pem)
        Path(self.key_path).write_bytes(leaf.key_pem)
        self.assertTrue(self.gets_in(self.creator()))

    def test_chain_is_sent(self) -> None:
        """Without its chain such a certificate leads nowhere."""
        middle = authority("middle", rsa_key(1), self.authority)
        leaf = self.certificate("server", rsa_key(), middle)
        Path(self.certificate_path).write_bytes(leaf.pem)
        Path(self.key_path).write_bytes(leaf.key_pem)
        self.assertFalse(self.gets_in(self.creator()))

    def test_protocols(self) -> None:
        """HTTP/2 is agreed on where a client offers it, HTTP/1.1 where not."""
        for offered, expected in (
            (["h2", "http/1.1"], "h2"),
            (["http/1.1"], "http/1.1"),
            ([], None),
        ):
            context = self.context()
            if offered:
                context.set_alpn_protocols(offered)
            client = self.connect(self.creator(), context)
            self.assertEqual(client.say(b"x"), b"x", offered)
            self.assertEqual(client.tls.selected_alpn_protocol(), expected)


class ClientAuthTests(TlsCase):
    """``http.tls.clientcas`` and ``http.tls.clientauth``."""

    def setUp(self) -> None:
        super().setUp()
        self.clients = {
            "nobody": self.context(),
            "known": self.context(self.certificate("known", ec_key(3))),
            "other": self.context(self.certificate("other", ec_key(4), self.stranger)),
        }

    def who_gets_in(self, **changes: Any) -> set[str]:
        creator = self.creator(clientcas=(self.authorities,), **changes)
        return {
            name
            for name, context in self.clients.items()
            if self.gets_in(creator, context)
        }

    def test_default(self) -> None:
        """With authorities and nothing else said, a certificate of theirs is a must."""
        self.assertEqual(self.who_gets_in(), {"known"})

    def test_modes(self) -> None:
        """Each of Go's modes lets in whom it says."""
        for mode, expected in (
            ("request-client-cert", {"nobody", "known", "other"}),
            ("require-any-client-cert", {"known", "other"}),
            ("verify-client-cert-if-given", {"nobody", "known"}),
            ("require-and-verify-client-cert", {"known"}),
        ):
            self.assertEqual(self.who_gets_in(clientauth=mode), expected, mode)

    def test_tls_1_2(self) -> None:
        """It is the same with TLS 1.2."""
        for context in self.clients.values():
            context.maximum_version = ssl.TLSVersion.TLSv1_2
        self.assertEqual(self.who_gets_in(), {"known"})

    def test_several_files(self) -> None:
        """Several files of authorities count together."""
        other = self.directory / "other.pem"
        other.write_bytes(self.stranger.pem)
        creator = self.creator(clientcas=(self.authorities, str(other)))
        self.assertTrue(self.gets_in(creator, self.clients["known"]))
        self.assertTrue(self.gets_in(creator, self.clients["other"]))
        self.assertFalse(self.gets_in(creator, self.clients["nobody"]))

    def test_without_authorities(self) -> None:
        """Without authorities nobody is asked for a certificate."""
        for context in self.clients.values():
            self.assertTrue(self.gets_in(self.creator(), context))

    def test_coming_back(self) -> None:
        """A client that comes back with its old session is let in as before."""
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            creator = self.creator(clientcas=(self.authorities,))
            context = self.clients["known"]
            context.maximum_version = version
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            first = self.connect(creator, context)
            first.say(b"one")
            again = self.connect(creator, context, first.tls.session)
            self.assertEqual(again.say(b"two"), b"two", version)


class ReloadTests(TlsCase):
    """Certificates that are renewed while connections are open."""

    def setUp(self) -> None:
        super().setUp()
        self.made = self.creator()
        self.old = self.serial()

    def serial(self, client: Client | None = None) -> Any:
        """Say which certificate a new client is shown."""
        client = client or self.connect(self.made)
        client.say(b"x")
        return client.tls.getpeercert()["serialNumber"]

    def renew(self, key: Any = None) -> Identity:
        found = self.certificate("server", key or ec_key(5))
        found.write(self.directory, "server")
        return found

    def assertShown(self, who: Identity) -> None:
        shown = int(self.serial(), 16)
        self.assertEqual(shown, who.certificate.serial_number)

    def test_new_connections(self) -> None:
        """A changed certificate is shown to those who connect afterwards."""
        renewed = self.renew()
        self.clock.advance(5)
        self.assertShown(renewed)

    def test_old_connections(self) -> None:
        """Connections that are there go on with what they began with."""
        client = self.connect(self.made)
        client.say(b"one")
        self.renew()
        self.clock.advance(5)
        self.assertNotEqual(self.serial(), self.old)
        self.assertEqual(client.say(b"two"), b"two")
        self.assertEqual(client.tls.getpeercert()["serialNumber"], self.old)

    def test_key_in_place(self) -> None:
        """A certificate for the same key is enough to be read again."""
        renewed = self.certificate("server", ec_key(2))
        Path(self.certificate_path).write_bytes(renewed.pem)
        self.clock.advance(5)
        self.assertShown(renewed)

    def test_authorities(self) -> None:
        """Authorities of clients are read again as well."""
        path = self.directory / "clients.pem"
        path.write_bytes(self.authority.pem)
        creator = self.creator(clientcas=(str(path),))
        other = self.context(self.certificate("other", ec_key(4), self.stranger))
        self.assertFalse(self.gets_in(creator, other))
        path.write_bytes(self.stranger.pem)
        self.clock.advance(5)
        self.assertTrue(self.gets_in(creator, other))

    def test_taken(self) -> None:
        """What is given holds at once; the same files make no difference."""
        creator = self.creator()
        tls = self.tls(minimumtls="tls1.3")
        loaded = load_certificates(tls, [b"http/1.1"])
        self.assertFalse(creator.take(tls, [b"http/1.1"], loaded))
        old = self.context(maximum_version=ssl.TLSVersion.TLSv1_2)
        self.assertFalse(self.gets_in(creator, old))
        self.certificate("server", ec_key(3)).write(self.directory, "server")
        other = load_certificates(tls, [b"http/1.1"])
        self.assertTrue(creator.take(tls, [b"http/1.1"], other))
        self.assertTrue(self.gets_in(creator))

    def test_not_at_every_connection(self) -> None:
        """The files are looked at every few seconds, not at every connection."""
        self.clock.advance(5)
        self.serial()
        self.renew()
        self.clock.advance(1)
        self.assertEqual(self.serial(), self.old)
        self.clock.advance(5)
        self.assertNotEqual(self.serial(), self.old)

    def assertHolds(self) -> None:
        """What there was holds, and the log says what is wrong."""
        with capturedLogs() as events:
            self.clock.advance(5)
            self.assertEqual(self.serial(), self.old)
        said = [event for event in events if "cannot be used" in event["log_format"]]
        self.assertEqual(len(said), 1)

    def test_certificate_vanishes(self) -> None:
        """A file that is gone leaves what there was."""
        os.unlink(self.certificate_path)
        self.assertHolds()

    def test_half_a_certificate(self) -> None:
        """A file that is cut short leaves what there was."""
        content = Path(self.certificate_path).read_bytes()
        Path(self.certificate_path).write_bytes(content[: len(content) // 2])
        self.assertHolds()

    def test_nonsense_in_a_certificate(self) -> None:
        """A certificate that is none leaves what there was."""
        Path(self.certificate_path).write_bytes(
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
        )
        self.assertHolds()

    def test_nonsense_in_a_key(self) -> None:
        """A key that is none leaves what there was."""
        Path(self.key_path).write_bytes(b"this is no key\n")
        self.assertHolds()

    def test_certificate_before_its_key(self) -> None:
        """A certificate that came before its key waits for the key."""
        renewed = self.certificate("server", ec_key(5))
        Path(self.certificate_path).write_bytes(renewed.pem)
        self.assertHolds()
        Path(self.key_path).write_bytes(renewed.key_pem)
        self.clock.advance(5)
        self.assertShown(renewed)

    def test_mended(self) -> None:
        """When the files are right again they are used."""
        Path(self.key_path).unlink()
        self.assertHolds()
        renewed = self.renew()
        self.clock.advance(5)
        self.assertShown(renewed)


class StartTests(TlsCase):
    """What is wrong is found before anything listens."""

    def wrap(self, **changes: Any) -> Any:
        endpoint = TCP4ServerEndpoint(MemoryReactorClock(), 5000)
        return wrap_endpoint(endpoint, self.tls(**changes), PROTOCOLS, self.clock)

    def test_missing_files(self) -> None:
        """A file that is not there is told of."""
        for path in (self.certificate_path, self.key_path):
            content = Path(path).read_bytes()
            os.unlink(path)
            self.assertRaises(OSError, self.wrap)
            Path(path).write_bytes(content)
        self.assertRaises(OSError, self.wrap, clientcas=("/nowhere.pem",))

    def test_no_certificate(self) -> None:
        """A file without a certificate is told of by its path."""
        Path(self.certificate_path).write_bytes(b"nothing\n")
        error = self.assertRaises(ValueError, self.wrap)
        self.assertIn(self.certificate_path, str(error))

    def test_no_key(self) -> None:
        """A file without a key is told of, as the contract has it."""
        Path(self.key_path).write_bytes(b"nothing\n")
        self.assertRaises(ValueError, self.wrap)

    def test_nonsense(self) -> None:
        """A certificate that cannot be read is told of, as the contract has it."""
        Path(self.certificate_path).write_bytes(
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
        )
        self.assertRaises(ValueError, self.wrap)

    def test_pair_that_does_not_fit(self) -> None:
        """A key of another certificate is told of."""
        self.certificate("x", ec_key(6)).write(self.directory, "other")
        os.replace(self.directory / "other.key", self.key_path)
        self.assertRaises((ValueError, SSL.Error), self.wrap)

    def test_options(self) -> None:
        """What is right makes options."""
        self.assertIsNotNone(make_options(self.tls(), PROTOCOLS).getContext())

    def test_listen(self) -> None:
        """The endpoint listens and speaks TLS with whoever connects."""
        reactor = MemoryReactorClock()
        endpoint = TCP4ServerEndpoint(reactor, 5000)
        wrapped = wrap_endpoint(endpoint, self.tls(), PROTOCOLS, self.clock)
        self.successResultOf(wrapped.listen(Factory.forProtocol(Echo)))
        self.assertEqual(reactor.tcpServers[0][0], 5000)
        factory = reactor.tcpServers[0][1]
        self.assertIsNotNone(factory.buildProtocol(None))

    def test_full_site(self) -> None:
        """A site that takes no more connections closes a new one in silence."""
        house = TestHouse()
        limits = ChannelLimits(connections=0)
        site = RegistrySite(
            make_serving(house.registry.resource, house.recorder, limits=limits),
            self.clock,
        )
        reactor = MemoryReactorClock()
        endpoint = TCP4ServerEndpoint(reactor, 5000)
        wrapped = wrap_endpoint(endpoint, self.tls(), PROTOCOLS, self.clock)
        self.successResultOf(wrapped.listen(site))
        made = reactor.tcpServers[0][1].buildProtocol(None)
        if made is not None:
            transport = StringTransport()
            made.makeConnection(transport)
            self.assertTrue(transport.disconnecting or transport.disconnected)
