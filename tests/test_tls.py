"""TLS and HTTP/2 on our own listener, in memory; and what one connection may take."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Any

import attrs
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import StreamClosedError
from OpenSSL import SSL
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.logger import capturedLogs
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import SynchronousTestCase

from tests.auth.keys import Identity, ec_key, identity, rsa_key
from tests.web.raw import Line
from txregistry.auth.silly import SillyAccess
from txregistry.config.http import Tls
from txregistry.spec.digest import Digest
from txregistry.spec.gate import Gate
from txregistry.testing.house import TestHouse
from txregistry.testing.wire import Wire
from txregistry.tls import ReloadingCreator, make_options, wrap_endpoint
from txregistry.web.channels import ChannelLimits
from txregistry.web.site import RegistrySite

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
        self.authority = identity("authority", ec_key(), None, True)
        self.stranger = identity("stranger", ec_key(1), None, True)
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


class VersionTests(TlsCase):
    """``http.tls.minimumtls`` and ``http.tls.ciphersuites``."""

    def at(self, version: ssl.TLSVersion) -> ssl.SSLContext:
        context = self.context()
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
        return context

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
        middle = identity("middle", rsa_key(1), self.authority, True)
        leaf = self.certificate("server", rsa_key(), middle)
        Path(self.certificate_path).write_bytes(leaf.pem + middle.pem)
        Path(self.key_path).write_bytes(leaf.key_pem)
        self.assertTrue(self.gets_in(self.creator()))

    def test_chain_is_sent(self) -> None:
        """Without its chain such a certificate leads nowhere."""
        middle = identity("middle", rsa_key(1), self.authority, True)
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
            house.registry.resource, self.clock, house.recorder, limits=limits
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


class Turns(Clock):
    """A clock that does what is due once per turn, as a reactor does.

    Work that asks for another turn at once, for ever, is seen rather than waited for.
    """

    def advance(self, amount: float) -> None:
        self.rightNow += amount
        for call in [call for call in self.calls if call.getTime() <= self.rightNow]:
            if call in self.calls:
                self.calls.remove(call)
                call.called = 1
                call.func(*call.args, **call.kw)

    def busy(self) -> list[Any]:
        """Give what asks for the very next turn."""
        return [call for call in self.calls if call.getTime() <= self.rightNow]


class LimitCase(SynchronousTestCase):
    """A registry with tight limits, and a client that writes by hand."""

    limits = ChannelLimits(
        header_bytes=16_384, header_seconds=10.0, idle_seconds=60.0, connections=3
    )
    options: dict[str, bool] = {}

    def setUp(self) -> None:
        self.clock = Turns()
        self.clock.rightNow = float(NOW)
        self.house = TestHouse(clock=self.clock)
        self.serve()

    def serve(self, **settings: Any) -> None:
        house = self.house
        api = house.api(house.local, Gate(deletes=True), **settings)
        self.site = RegistrySite(
            api.resource(),
            house.clock,
            house.recorder,
            limits=self.limits,
            **self.options,
        )
        house.registry = self.site
        house.registry_wire = Wire(self.site, house.clock)

    def line(self) -> Line:
        return Line(self.house)

    def assertNothingIsLeft(self) -> None:
        self.assertEqual(self.site.channels, set())
        self.assertEqual(self.site.active, set())
        self.assertEqual(self.house.registry_wire.open_connections, 0)
        calls = self.house.clock.getDelayedCalls()
        self.assertEqual([call for call in calls if "http" in repr(call)], [])


class LimitTests(LimitCase):
    """HTTP/1.1: time, length, and number."""

    def drip(self, line: Line, text: bytes, seconds: float = 1.0) -> float:
        """Send a byte every so often; say after how long the line was cut."""
        began = self.house.clock.seconds()
        for byte in text:
            if line.closed:
                break
            line.send(bytes([byte]))
            self.house.clock.advance(seconds)
            self.house.pump()
        return self.house.clock.seconds() - began

    def test_head_in_time(self) -> None:
        """A head that is in before its time is over is answered."""
        line = self.line()
        line.send(b"GET / HTTP/1.1\r\n")
        self.house.clock.advance(9)
        line.send(b"Host: x\r\n\r\n")
        (answer,) = line.answers()
        self.assertEqual(answer.status, 200)

    def test_slow_lines(self) -> None:
        """A client that sends a header now and then is cut off."""
        line = self.line()
        line.send(b"GET / HTTP/1.1\r\n")
        for number in range(10):
            self.house.clock.advance(2)
            if not line.closed:
                line.send(b"X-%d: y\r\n" % number)
        self.assertTrue(line.closed)
        self.assertNothingIsLeft()

    def test_slow_bytes(self) -> None:
        """A client that sends a byte now and then, and no line, is cut off too."""
        for text in (b"G" * 200, b"GET / HTTP/1.1\r\nX-Long: " + b"y" * 200):
            line = self.line()
            took = self.drip(line, text)
            self.assertTrue(line.closed, text[:20])
            self.assertLessEqual(took, 30 + len(text) - 200)
        self.assertNothingIsLeft()

    def test_silence(self) -> None:
        """A client that says nothing is let go when it was idle long enough."""
        line = self.line()
        line.wait(59)
        self.assertFalse(line.closed)
        line.wait(5)
        self.assertTrue(line.closed)
        self.assertNothingIsLeft()

    def test_time_begins_anew(self) -> None:
        """Each request on a connection has the whole time for its head."""
        line = self.line()
        for _ in range(5):
            line.send(b"GET / HTTP/1.1\r\n")
            self.house.clock.advance(8)
            line.send(b"Host: x\r\n\r\n")
            self.house.clock.advance(8)
        self.assertEqual([a.status for a in line.answers()], [200] * 5)

    def test_body_has_its_own_time(self) -> None:
        """A body that takes longer than a head may is no trouble."""
        content = b"x" * 20
        digest = Digest.of(content)
        line = self.line()
        path = f"/v2/a/b/blobs/uploads/?digest={digest}"
        line.send(f"POST {path} HTTP/1.1\r\nHost: x\r\n".encode())
        line.send(b"Content-Length: 20\r\n\r\n")
        self.drip(line, content, 5.0)
        line.wait(2, 0.1)
        (answer,) = line.answers()
        self.assertEqual(answer.status, 201)

    def test_long_head(self) -> None:
        """A head that is longer than it may be is refused, and then closed."""
        for head in (
            b"GET / HTTP/1.1\r\nX: " + b"y" * 20_000 + b"\r\n\r\n",
            b"GET / HTTP/1.1\r\n" + b"X: yyyyyyyyyyyyyyyyyyyyy\r\n" * 900 + b"\r\n",
            b"GET /" + b"z" * 20_000 + b" HTTP/1.1\r\n\r\n",
        ):
            line = self.line()
            line.send(head)
            line.wait(2)
            self.assertTrue(line.closed, head[:30])
            statuses = [answer.status for answer in line.answers()]
            self.assertTrue(all(400 <= status < 500 for status in statuses), statuses)
        self.assertNothingIsLeft()

    def test_rather_long_head(self) -> None:
        """A Range of a thousand parts and a long token fit into the default."""
        self.limits = ChannelLimits()
        self.serve()
        parts = ",".join(f"{n * 10}-{n * 10 + 4}" for n in range(1024))
        line = self.line()
        head = f"GET / HTTP/1.1\r\nHost: x\r\nRange: bytes={parts}\r\n"
        line.send(f"{head}Authorization: Bearer {'t' * 30_000}\r\n\r\n".encode())
        (answer,) = line.answers()
        self.assertEqual(answer.status, 200)

    def test_connections(self) -> None:
        """One connection too many is not made; when one goes there is room again."""
        lines = [self.line().send(b"GET / HTTP/1.1\r\n") for _ in range(3)]
        self.assertIsNone(self.site.buildProtocol(None))
        lines[0].hang_up()
        self.assertIsNotNone(self.site.buildProtocol(None))

    def test_silent_connections_count(self) -> None:
        """Connections that have said nothing yet take room as well."""
        for _ in range(3):
            self.line()
        self.assertIsNone(self.site.buildProtocol(None))

    def test_drain(self) -> None:
        """Draining closes a connection on which nothing is under way."""
        line = self.line()
        self.successResultOf(self.site.drain(5))
        self.house.pump()
        self.assertTrue(line.closed)
        self.assertNothingIsLeft()

    def test_tls_to_a_plain_port(self) -> None:
        """A client that speaks TLS to a port without it is closed at once."""
        line = self.line()
        line.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(20))
        self.assertTrue(line.closed)


class ChoosingTests(LimitTests):
    """The same, where a connection may become HTTP/2 (``http.h2c``)."""

    options = {"cleartext_http2": True}


class OfferedTests(LimitTests):
    """The same, where HTTP/2 is offered by TLS."""

    options = {"http2": True}


@attrs.define(eq=False)
class Stream:
    """One exchange of HTTP/2."""

    headers: dict[str, str] = attrs.field(factory=dict)
    body: bytes = b""
    ended: bool = False
    reset: int | None = None

    @property
    def status(self) -> int:
        return int(self.headers.get(":status", 0))


class H2Client(Line):
    """A client that begins with HTTP/2, knowing that the server speaks it."""

    def __init__(self, house: TestHouse) -> None:
        self.h2 = H2Connection(H2Configuration(header_encoding="utf-8"))
        self.streams: dict[int, Stream] = {}
        self.gone: Any = None
        self.reads = True
        super().__init__(house)
        self.h2.initiate_connection()
        self.flush()

    def flush(self) -> None:
        self.transport.write(self.h2.data_to_send())
        self.house.pump()

    def dataReceived(self, data: bytes) -> None:
        for event in self.h2.receive_data(data):
            self.take(event)
        reply = self.h2.data_to_send()
        if reply:
            self.transport.write(reply)

    def take(self, event: Any) -> None:
        stream = self.streams.get(getattr(event, "stream_id", None) or 0)
        if isinstance(event, ConnectionTerminated):
            self.gone = event
        elif stream is None or isinstance(event, WindowUpdated):
            return
        elif isinstance(event, ResponseReceived):
            stream.headers = dict(event.headers)
        elif isinstance(event, DataReceived):
            stream.body += event.data
            if self.reads:
                self.h2.acknowledge_received_data(
                    event.flow_controlled_length, event.stream_id
                )
        elif isinstance(event, StreamEnded):
            stream.ended = True
        elif isinstance(event, StreamReset):
            stream.reset = int(event.error_code)

    def ask(
        self, method: str, path: str, *headers: tuple[str, str], end: bool = True
    ) -> tuple[int, Stream]:
        number = self.h2.get_next_available_stream_id()
        stream = self.streams[number] = Stream()
        pairs = [
            (":method", method),
            (":path", path),
            (":scheme", "http"),
            (":authority", "registry.example"),
        ]
        self.h2.send_headers(number, [*pairs, *headers], end_stream=end)
        self.flush()
        return number, stream

    def upload(self, number: int, content: bytes, end: bool = True) -> int:
        """Send a body as the windows allow; say how much of it was sent."""
        at, idle = 0, 0
        stream = self.streams[number]
        while at < len(content) and idle < 50 and stream.reset is None:
            room = min(
                self.h2.local_flow_control_window(number),
                self.h2.max_outbound_frame_size,
                len(content) - at,
            )
            if room > 0:
                try:
                    self.h2.send_data(number, content[at : at + room])
                except StreamClosedError:
                    break
                at, idle = at + room, 0
            else:
                idle += 1
                self.house.clock.advance(0.01)
            self.flush()
        if end and at == len(content) and stream.reset is None:
            self.h2.end_stream(number)
            self.flush()
        return at

    def settle(self, stream: Stream, seconds: float = 5.0) -> Stream:
        waited = 0.0
        while not stream.ended and stream.reset is None and waited < seconds:
            self.house.clock.advance(0.001)
            self.house.pump()
            waited += 0.001
        return stream

    def turn(self, times: int) -> None:
        for _ in range(times):
            self.house.clock.advance(0.001)
            self.house.pump()


class CleartextHttp2Tests(LimitCase):
    """HTTP/2 without TLS, to a client that knows of it (RFC 9113, 3.3)."""

    options = {"cleartext_http2": True}
    limits = ChannelLimits(idle_seconds=60.0)

    def push(self, client: H2Client, content: bytes) -> tuple[str, Stream, int]:
        digest = str(Digest.of(content))
        path = f"/v2/a/b/blobs/uploads/?digest={digest}"
        number, stream = client.ask("POST", path, end=False)
        sent = client.upload(number, content)
        return digest, client.settle(stream), sent

    def test_get(self) -> None:
        """A request by HTTP/2 is answered by HTTP/2."""
        client = H2Client(self.house)
        _, stream = client.ask("GET", "/v2/")
        client.settle(stream)
        self.assertEqual((stream.status, stream.body), (200, b"{}"))
        version = stream.headers["docker-distribution-api-version"]
        self.assertEqual(version, "registry/2.0")

    def test_http1_too(self) -> None:
        """A client that begins with HTTP/1.1 is answered by that."""
        line = self.line()
        line.send(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n")
        (answer,) = line.answers()
        self.assertEqual((answer.status, answer.body), (200, b"{}"))

    def test_first_bytes_in_pieces(self) -> None:
        """The first bytes may come one by one, whichever protocol it is."""
        line = self.line()
        for byte in b"PUT /v2/ HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n":
            line.send(bytes([byte]))
        (answer,) = line.answers()
        self.assertEqual(answer.status, 405)

    def test_several_at_once(self) -> None:
        """Several requests on one connection are each answered."""
        client = H2Client(self.house)
        streams = [client.ask("GET", "/v2/")[1] for _ in range(5)]
        missing = client.ask("GET", f"/v2/a/b/blobs/{Digest.of(b'')}")[1]
        for stream in streams:
            self.assertEqual(client.settle(stream).status, 200)
        self.assertEqual(client.settle(missing).status, 404)

    def test_upload(self) -> None:
        """A body of many frames is taken as it comes, and comes back the same."""
        content = os.urandom(1_000_000)
        client = H2Client(self.house)
        digest, stream, sent = self.push(client, content)
        self.assertEqual((stream.status, sent), (201, len(content)))
        _, back = client.ask("GET", f"/v2/a/b/blobs/{digest}")
        client.settle(back, 20)
        self.assertEqual((back.status, back.body), (200, content))

    def test_upload_in_steps(self) -> None:
        """POST, PATCH and PUT go the same way, with and without a length."""
        content = os.urandom(200_000)
        client = H2Client(self.house)
        _, begun = client.ask("POST", "/v2/a/b/blobs/uploads/")
        location = client.settle(begun).headers["location"]
        for part in (content[:100_000], content[100_000:]):
            path = location.partition("registry.example")[2]
            number, stream = client.ask("PATCH", path, end=False)
            client.upload(number, part)
            self.assertEqual(client.settle(stream).status, 202)
            location = stream.headers["location"]
        path = location.partition("registry.example")[2]
        length = ("content-length", "0")
        _, done = client.ask("PUT", f"{path}&digest={Digest.of(content)}", length)
        self.assertEqual(client.settle(done).status, 201)

    def test_slow_upload_leaves_others_alone(self) -> None:
        """While one body waits to come, other requests are answered."""
        client = H2Client(self.house)
        content = os.urandom(100_000)
        path = f"/v2/a/b/blobs/uploads/?digest={Digest.of(content)}"
        number, slow = client.ask("POST", path, end=False)
        client.upload(number, content[:50_000], end=False)
        _, other = client.ask("GET", "/v2/")
        self.assertEqual(client.settle(other).status, 200)
        client.upload(number, content[50_000:])
        self.assertEqual(client.settle(slow).status, 201)

    def test_refused_upload(self) -> None:
        """A body that nobody wants is refused before it is sent, and not read."""
        self.house.controller = SillyAccess("r", "s")
        self.serve()
        client = H2Client(self.house)
        path = f"/v2/a/b/blobs/uploads/?digest={Digest.of(b'x')}"
        length = ("content-length", str(1024**3))
        number, stream = client.ask("POST", path, length, end=False)
        client.settle(stream, 0.5)
        self.assertEqual(stream.status, 401)
        self.assertIn("Bearer", stream.headers["www-authenticate"])
        sent = client.upload(number, bytes(8 * 1024 * 1024))
        self.assertLessEqual(sent, 2 * 1024 * 1024)
        self.assertIn(b"UNAUTHORIZED", stream.body)

    def test_connection_after_a_refusal(self) -> None:
        """A refused body ends its own stream; the others of the connection go on."""
        self.serve(max_upload_bytes=1000)
        client = H2Client(self.house)
        content = bytes(4 * 1024 * 1024)
        path = f"/v2/a/b/blobs/uploads/?digest={Digest.of(content)}"
        number, stream = client.ask("POST", path, end=False)
        client.upload(number, content)
        client.settle(stream)
        self.assertEqual(stream.status, 413)
        self.assertFalse(client.closed)
        _, other = client.ask("GET", "/v2/")
        self.assertEqual(client.settle(other).status, 200)

    def test_client_that_does_not_read(self) -> None:
        """A client whose window is full is waited for, not asked again and again."""
        content = os.urandom(300_000)
        client = H2Client(self.house)
        digest, _, _ = self.push(client, content)
        client.reads = False
        _, stream = client.ask("GET", f"/v2/a/b/blobs/{digest}")
        client.turn(100)
        self.assertEqual(len(stream.body), 65_535)
        self.assertEqual(self.clock.busy(), [])

    def test_client_that_reads_again(self) -> None:
        """When there is room in the window again, the answer goes on."""
        content = os.urandom(300_000)
        client = H2Client(self.house)
        digest, _, _ = self.push(client, content)
        client.reads = False
        number, stream = client.ask("GET", f"/v2/a/b/blobs/{digest}")
        client.turn(100)
        client.reads = True
        client.h2.acknowledge_received_data(len(stream.body), number)
        client.flush()
        client.settle(stream)
        self.assertEqual(stream.body, content)

    def test_client_breaks_off(self) -> None:
        """A client that resets its upload leaves nothing running."""
        client = H2Client(self.house)
        path = f"/v2/a/b/blobs/uploads/?digest={Digest.of(b'x')}"
        number, _ = client.ask("POST", path, end=False)
        client.upload(number, b"y" * 10_000, end=False)
        client.h2.reset_stream(number)
        client.flush()
        self.assertEqual(self.site.active, set())
        _, other = client.ask("GET", "/v2/")
        self.assertEqual(client.settle(other).status, 200)

    def test_client_hangs_up(self) -> None:
        """A client that goes in the middle of an upload leaves nothing."""
        client = H2Client(self.house)
        path = f"/v2/a/b/blobs/uploads/?digest={Digest.of(b'x')}"
        number, _ = client.ask("POST", path, end=False)
        client.upload(number, b"y" * 10_000, end=False)
        client.hang_up()
        self.assertEqual((self.site.active, self.site.channels), (set(), set()))

    def test_idle(self) -> None:
        """A connection of HTTP/2 on which nothing happens is let go in time."""
        client = H2Client(self.house)
        _, stream = client.ask("GET", "/v2/")
        client.settle(stream)
        client.wait(200)
        self.assertTrue(client.closed)
        self.assertEqual(self.site.channels, set())

    def test_large_head(self) -> None:
        """A head beyond the limit does not break the connection for others."""
        self.limits = ChannelLimits(header_bytes=16_384)
        self.serve()
        client = H2Client(self.house)
        large = [(f"x-{n}", "y" * 1000) for n in range(60)]
        try:
            _, stream = client.ask("GET", "/v2/", *large)
            client.settle(stream, 1.0)
        except Exception as error:
            self.fail(f"the server breaks the protocol: {error!r}")
        refused = 400 <= stream.status < 500 or stream.reset is not None
        self.assertTrue(refused or client.gone is not None or client.closed)

    def test_body_shorter_than_announced(self) -> None:
        """A body that is shorter than its length is refused (RFC 9113, 8.1.1)."""
        client = H2Client(self.house)
        path = f"/v2/a/b/blobs/uploads/?digest={Digest.of(b'abc')}"
        number, stream = client.ask("POST", path, ("content-length", "10"), end=False)
        with client_may_lie(client):
            client.upload(number, b"abc")
        client.settle(stream, 1.0)
        self.assertNotEqual(stream.status, 201)
        self.assertEqual(self.site.active, set())

    def test_head_request(self) -> None:
        """HEAD has headers and no body."""
        client = H2Client(self.house)
        _, stream = client.ask("HEAD", "/v2/")
        client.settle(stream)
        self.assertEqual((stream.status, stream.body), (200, b""))
        self.assertEqual(stream.headers["content-length"], "2")


class client_may_lie:
    """Let a client's own library not mind what it sends."""

    def __init__(self, client: H2Client) -> None:
        self.client = client

    def __enter__(self) -> None:
        for stream in self.client.h2.streams.values():
            stream._expected_content_length = None

    def __exit__(self, *_: object) -> None:
        return None
