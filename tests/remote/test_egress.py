"""Egress proxies and credential helpers."""

from __future__ import annotations

import base64

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from txregistry.remote.bypass import Bypass
from txregistry.remote.credentials import (
    MAX_PROCESSES,
    MAX_SERVERS,
    Credentials,
    HelperCredentials,
    ICredentialStore,
    StaticCredentials,
)
from txregistry.remote.egress import ProxyAddress, TunnelEndpoint, TunnelRefused
from txregistry.remote.transport import egress_proxies, proxy_bypass


class AddressTests(SynchronousTestCase):
    """What the environment says."""

    def test_proxies(self) -> None:
        """Upper and lower case, with and without a scheme, with credentials."""
        found = egress_proxies(
            {"HTTP_PROXY": "proxy:3128", "https_proxy": "http://u%40x:p@10.0.0.1"}
        )
        self.assertEqual(found["http"], ProxyAddress("proxy", 3128))
        coded = base64.b64encode(b"u@x:p").decode()
        self.assertEqual(found["https"], ProxyAddress("10.0.0.1", 80, f"Basic {coded}"))
        self.assertEqual(egress_proxies({}), {})
        for bad in ("https://proxy", "socks5://proxy", "http://", "http://x:0"):
            with self.assertRaises(ValueError):
                ProxyAddress.parse(bad)

    def test_unusable_proxy_is_named(self) -> None:
        """Whoever set the variable is told which one it was."""
        for name, value in (
            ("HTTPS_PROXY", "socks5://proxy:1080"),
            ("http_proxy", "https://proxy"),
        ):
            with self.assertRaises(ValueError) as caught:
                egress_proxies({name: value})
            self.assertTrue(str(caught.exception).startswith(f"{name}: "))

    def test_lower_case_where_the_other_is_empty(self) -> None:
        """An empty variable is none."""
        found = egress_proxies({"HTTP_PROXY": "", "http_proxy": "proxy:1"})
        self.assertEqual(found["http"], ProxyAddress("proxy", 1))
        found = egress_proxies({"HTTP_PROXY": "first:1", "http_proxy": "second:1"})
        self.assertEqual(found["http"].host, "first")
        bypass = proxy_bypass({"NO_PROXY": " ", "no_proxy": "docker.io"})
        self.assertTrue(bypass.covers("docker.io", 443))

    def test_no_proxy(self) -> None:
        """Names, what is below them, addresses, networks, ports, and the loopback."""
        text = (
            "below.test, .dotted.test ,*.starred.test,10.0.0.1,10.2.0.0/16,ported.test"
            ":8443,[fd00::1]:5000,fd01::/16,10.9.9.9:80,UPPER.test"
        )
        bypass = Bypass.parse(text)
        for host, port, expected in (
            ("below.test", 443, True),
            ("a.below.test", 443, True),
            ("notbelow.test", 443, False),
            ("dotted.test", 443, False),
            ("a.dotted.test", 443, True),
            ("starred.test", 443, False),
            ("a.starred.test", 443, True),
            ("10.0.0.1", 80, True),
            ("10.0.0.2", 80, False),
            ("10.2.3.4", 80, True),
            ("ported.test", 8443, True),
            ("ported.test", 443, False),
            ("fd00::1", 5000, True),
            ("fd00::1", 80, False),
            ("[fd01::7]", 80, True),
            ("10.9.9.9", 80, True),
            ("10.9.9.9", 443, False),
            ("upper.test.", 443, True),
            ("localhost", 5000, True),
            ("127.8.0.1", 5000, True),
            ("::1", 5000, True),
            ("docker.io", 443, False),
        ):
            found = (host, port, bypass.covers(host, port))
            self.assertEqual(found, (host, port, expected))
        self.assertTrue(Bypass.parse("x, *").covers("docker.io", 443))
        self.assertFalse(Bypass.parse("").covers("docker.io", 443))


@implementer(IStreamClientEndpoint)
class Proxy:
    """An endpoint whose other end is the test."""

    def __init__(self) -> None:
        self.transport = StringTransport()

    def connect(self, factory):
        self.protocol = factory.buildProtocol(None)
        self.protocol.makeConnection(self.transport)
        done: Deferred[object] = Deferred()
        done.callback(self.protocol)
        return done


class Inner(Protocol):
    """What speaks inside the tunnel."""

    def __init__(self) -> None:
        self.received = b""
        self.lost = False

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason=None) -> None:
        self.lost = True


class TunnelTests(SynchronousTestCase):
    """CONNECT."""

    def setUp(self) -> None:
        self.proxy = Proxy()
        endpoint = TunnelEndpoint(self.proxy, "up.example:443", "Basic eA==")
        self.inner = Inner()
        self.done = endpoint.connect(Factory.forProtocol(lambda: self.inner))

    def test_tunnel(self) -> None:
        """When the proxy agrees, the connection is the inner protocol's."""
        said = self.proxy.transport.value()
        self.assertTrue(said.startswith(b"CONNECT up.example:443 HTTP/1.1\r\n"))
        self.assertIn(b"Proxy-Authorization: Basic eA==\r\n", said)
        self.assertNoResult(self.done)
        self.proxy.protocol.dataReceived(b"HTTP/1.1 200 OK\r\nX: y")
        self.proxy.protocol.dataReceived(b"\r\n\r\n")
        self.assertIs(self.successResultOf(self.done), self.inner)
        self.proxy.protocol.dataReceived(b"hello")
        self.assertEqual(self.inner.received, b"hello")
        self.proxy.protocol.connectionLost()
        self.assertTrue(self.inner.lost)

    def test_refused(self) -> None:
        """Any other answer is an error, and the connection is closed."""
        self.proxy.protocol.dataReceived(b"HTTP/1.1 407 No\r\n\r\n")
        self.failureResultOf(self.done, TunnelRefused)
        self.assertTrue(self.proxy.transport.disconnecting)

    def test_closed(self) -> None:
        """So is silence that ends."""
        self.proxy.protocol.connectionLost()
        self.failureResultOf(self.done, TunnelRefused)

    def test_given_up(self) -> None:
        """A wait that is cancelled stays cancelled: nobody is to try again."""
        self.done.cancel()
        self.failureResultOf(self.done, CancelledError)
        self.assertTrue(self.proxy.transport.disconnecting)
        self.proxy.protocol.connectionLost()

    def test_endless_head(self) -> None:
        """And a head without an end."""
        self.proxy.protocol.dataReceived(b"x" * 20_000)
        self.failureResultOf(self.done, TunnelRefused)

    def test_bytes_before_ours(self) -> None:
        """Whoever speaks first inside a TLS tunnel is not our upstream."""
        self.proxy.protocol.dataReceived(b"HTTP/1.1 200 OK\r\n\r\nextra")
        self.failureResultOf(self.done, TunnelRefused)


class FakeProcess:
    """A process that the test speaks for."""

    def __init__(self, protocol, arguments) -> None:
        self.protocol, self.arguments = protocol, arguments
        self.input, self.closed, self.signals = b"", False, []
        self.has_exited = self.lost = False

    def write(self, data: bytes) -> None:
        self.input += data

    def closeStdin(self) -> None:
        self.closed = True

    def signalProcess(self, name: str) -> None:
        if self.has_exited:
            raise ProcessExitedAlready
        self.signals.append(name)

    def loseConnection(self) -> None:
        self.lost = True


class Processes:
    """The slice of a reactor that starts processes."""

    def __init__(self) -> None:
        self.started: list[FakeProcess] = []

    def spawnProcess(self, protocol, executable, args, env):
        process = FakeProcess(protocol, args)
        self.started.append(process)
        protocol.makeConnection(process)
        return process


class HelperTests(SynchronousTestCase):
    """docker-credential-helper commands."""

    def setUp(self) -> None:
        self.processes, self.clock = Processes(), Clock()

    def store(self, lifetime: float | None) -> HelperCredentials:
        return HelperCredentials(self.processes, self.clock, "helper -x", lifetime)

    def answer(self, output: bytes, good: bool = True) -> None:
        from twisted.internet.error import ProcessDone, ProcessTerminated
        from twisted.python.failure import Failure

        process = self.processes.started[-1]
        process.protocol.errReceived(b"a secret on stderr")
        process.protocol.outReceived(output)
        reason = ProcessDone(0) if good else ProcessTerminated(1)
        process.protocol.processEnded(Failure(reason))

    def test_protocol(self) -> None:
        """``get`` by the shell, the server on standard input, JSON back."""
        store = self.store(None)
        verifyObject(ICredentialStore, store)
        done = store.credentials(server="auth.example")
        process = self.processes.started[0]
        self.assertEqual(process.arguments, ["/bin/sh", "-c", "exec helper -x get"])
        self.assertEqual((process.input, process.closed), (b"auth.example\n", True))
        self.answer(b'{"ServerURL": "x", "Username": "u", "Secret": "p"}')
        self.assertEqual(self.successResultOf(done), Credentials("u", "p"))

    def test_identity_token(self) -> None:
        """A user called <token> is none."""
        done = self.store(None).credentials("s")
        self.answer(b'{"Username": "<token>", "Secret": "refresh"}')
        expected = Credentials(identity_token="refresh")
        self.assertEqual(self.successResultOf(done), expected)

    def test_lifetime(self) -> None:
        """For ever, not at all, or for so long; one run however many ask."""
        for lifetime, later, runs in (
            (None, 1e9, 1),
            (0.0, 0, 2),
            (60, 50, 1),
            (60, 61, 2),
        ):
            self.processes.started.clear()
            store = self.store(lifetime)
            first, second = store.credentials("s"), store.credentials("s")
            self.answer(b'{"Username": "u", "Secret": "p"}')
            self.successResultOf(first)
            self.successResultOf(second)
            self.clock.advance(later)
            store.credentials("s").addErrback(lambda _: None)
            self.assertEqual(
                (lifetime, later, len(self.processes.started)), (lifetime, later, runs)
            )

    def test_many_servers(self) -> None:
        """So many commands run at once, and the latest servers are remembered."""
        store = self.store(None)
        for number in range(2 * MAX_SERVERS):
            done = [store.credentials(f"s{number}-{part}") for part in range(5)]
            self.assertLessEqual(len(self.processes.started), MAX_PROCESSES)
            while self.processes.started:
                process = self.processes.started[-1]
                self.answer(b'{"Username": "u", "Secret": "p"}')
                self.processes.started.remove(process)
            for one in done:
                self.assertEqual(self.successResultOf(one), Credentials("u", "p"))
        self.assertEqual(len(store._cache), MAX_SERVERS)
        self.successResultOf(store.credentials(f"s{2 * MAX_SERVERS - 1}-0"))

    def test_failures(self) -> None:
        """A command that fails or babbles is a warning and no credentials."""
        for output, good in (
            (b"", False),
            (b"nonsense", True),
            (b"[]", True),
            (b"[" * 60_000, True),
            (b'{"Username": 1, "Secret": "p"}', True),
            (b'{"Username": "u", "Secret": null}', True),
        ):
            done = self.store(0).credentials("s")
            self.answer(output, good)
            self.assertIsNone(self.successResultOf(done), output[:40])

    def test_no_process(self) -> None:
        """Where no process can be started, there is a warning and no credentials."""

        def no_process(*_: object) -> None:
            raise BlockingIOError(11, "Resource temporarily unavailable")

        self.processes.spawnProcess = no_process
        done = self.store(None).credentials("s")
        self.assertIsNone(self.successResultOf(done))

    def test_warning(self) -> None:
        """It names the server, and the status with which the command ended."""
        with capturedLogs() as events:
            self.store(0).credentials("auth.example")
            self.answer(b"", False)
        (text,) = (formatEvent(event) for event in events)
        self.assertIn("failed for auth.example: the command ended with status 1;", text)

    def test_command_that_takes_too_long(self) -> None:
        """It is killed."""
        done = self.store(0).credentials("s")
        self.clock.advance(31)
        self.assertEqual(self.processes.started[0].signals, ["KILL"])
        self.assertIsNone(self.successResultOf(done))

    def test_command_that_leaves_a_process(self) -> None:
        """One that has exited while a child holds its output times out too."""
        done = self.store(0).credentials("s")
        process = self.processes.started[0]
        process.has_exited = True
        self.clock.advance(31)
        self.assertIsNone(self.successResultOf(done))
        self.assertTrue(process.lost)

    def test_static(self) -> None:
        """The configuration's own."""
        who = Credentials("u", "p")
        done = StaticCredentials(who).credentials(server="any")
        self.assertEqual(self.successResultOf(done), who)
        self.assertNotIn("'p'", repr(who))
