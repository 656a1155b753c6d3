"""One connection of HTTP/1.1, as its transport sees it."""

from __future__ import annotations

from itertools import product
from socket import AF_UNIX, IPPROTO_TCP, TCP_USER_TIMEOUT, socket

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import ISSLTransport
from twisted.internet.tcp import Connection
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import directlyProvides

from txregistry.flow.buffer_budget import BODIES
from txregistry.testing.house import TestHouse
from txregistry.web import router
from txregistry.web.http.channels import HEAD_READ_BYTES
from txregistry.web.http.connections import ChannelLimits, set_socket_timeouts

HEAD = b"POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: x\r\n"
ASK = b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n"


class Full(StringTransport):
    """Has more to send than it wants to hold, whatever it is given."""

    bufferSize = HEAD_READ_BYTES

    def setTcpKeepAlive(self, on: bool) -> None:
        """Take note."""

    def write(self, data: bytes) -> None:
        super().write(data)
        self.producer.pauseProducing()


class ChannelTests(SynchronousTestCase):
    """What is read when."""

    def setUp(self) -> None:
        self.house = TestHouse()
        self.channel = self.house.registry.buildProtocol(None)
        self.transport = Full()
        self.channel.makeConnection(self.transport)

    def test_answers_that_are_not_taken(self) -> None:
        """A client that sends requests and reads nothing is not read either."""
        self.channel.dataReceived(ASK)
        self.assertIn(b"200 OK", self.transport.value())
        self.assertEqual(self.transport.producerState, "paused")
        self.transport.clear()
        self.channel.resumeProducing()
        self.assertEqual(self.transport.producerState, "producing")
        self.channel.dataReceived(ASK)
        self.assertIn(b"200 OK", self.transport.value())

    def test_secure(self) -> None:
        """A connection that is TLS gives URLs that are."""
        directlyProvides(self.transport, ISSLTransport)
        for _ in range(2):
            self.channel.dataReceived(HEAD + b"Content-Length: 0\r\n\r\n")
            self.assertIn(b"Location: https://x/v2/a/", self.transport.value())
            self.transport.clear()
            self.channel.resumeProducing()

    def test_plain(self) -> None:
        """Any other does not."""
        self.channel.dataReceived(HEAD + b"Content-Length: 0\r\n\r\n")
        self.assertIn(b"Location: http://x/v2/a/", self.transport.value())

    def test_proxies(self) -> None:
        """The first of several proxies says where the client is, on lines or on one."""
        lists = (b"https, http", b"https\r\nx-forwarded-proto: http")
        for proto, host in product(lists, (b"y, z", b"y\r\nx-forwarded-host: z")):
            self.assertLocation(
                b"https://y/v2/a/",
                b"X-Forwarded-Proto: " + proto + b"\r\nX-Forwarded-Host: " + host,
            )
        for first in (b"host=y, host=z", b"host=y\r\nforwarded: host=z"):
            self.assertLocation(b"http://y/v2/a/", b"Forwarded: " + first)

    def test_proxy_that_says_whom_it_forwards_for(self) -> None:
        """``Forwarded: for=…`` leaves what others say of scheme and host in force."""
        self.assertLocation(
            b"https://y/v2/a/",
            b"Forwarded: for=192.0.2.1\r\nX-Forwarded-Proto: https\r\n"
            b"X-Forwarded-Host: y",
        )

    def assertLocation(self, wanted: bytes, lines: bytes) -> None:
        """A push with these lines in its head is told to go on there."""
        self.channel.dataReceived(HEAD + lines + b"\r\nContent-Length: 0\r\n\r\n")
        self.assertIn(b"Location: " + wanted, self.transport.value(), lines)
        self.transport.clear()
        self.channel.resumeProducing()

    def test_length_of_reads(self) -> None:
        """Only a body is read in large pieces."""
        self.channel.dataReceived(HEAD + b"Content-Length: 2\r\n\r\n")
        self.assertEqual(self.transport.bufferSize, BODIES.max_share)
        self.channel.dataReceived(b"ab")
        self.assertEqual(self.transport.bufferSize, HEAD_READ_BYTES)

    def test_length_of_reads_among_many(self) -> None:
        """The more bodies are on their way, the smaller are the pieces of each."""
        self.channel.dataReceived(HEAD + b"Content-Length: 3\r\n\r\n")
        self.house.registry.active.update(range(99))
        self.channel.dataReceived(b"a")
        self.assertEqual(self.transport.bufferSize, BODIES.total // 100)
        self.house.registry.active.difference_update(range(99))
        self.channel.dataReceived(b"b")
        self.assertEqual(self.transport.bufferSize, BODIES.max_share)

    def test_length_of_reads_of_what_follows(self) -> None:
        """Requests that come while one is answered are read in small pieces."""
        self.patch(router.Router, "_run", lambda *_: Deferred())
        self.channel.dataReceived(ASK)
        self.channel.dataReceived(ASK)
        self.assertEqual(self.transport.bufferSize, HEAD_READ_BYTES)

    def test_longest_stall(self) -> None:
        """A limit longer than the kernel can be told is the longest it can."""
        for seconds, told in ((1.5, 1500), (1e9, 2**31 - 1), (0.0, 0)):
            with socket() as handle:
                connection = Connection(handle, None, None)  # type: ignore[arg-type]
                set_socket_timeouts(connection, ChannelLimits(stall_seconds=seconds))
                found = handle.getsockopt(IPPROTO_TCP, TCP_USER_TIMEOUT)
                self.assertEqual(found, told)

    def test_connection_by_a_path(self) -> None:
        """One that is none of TCP is left alone."""
        with socket(AF_UNIX) as handle:
            connection = Connection(handle, None, None)  # type: ignore[arg-type]
            self.patch(connection, "setTcpKeepAlive", lambda on: None)
            set_socket_timeouts(connection, ChannelLimits())

    def test_error_that_cannot_be_told(self) -> None:
        """Its client gets an answer all the same."""
        self.patch(router.Router, "_handle", lambda *_: 1 / 0)
        self.patch(router.Router, "_run", lambda *_: 1 / 0)
        self.channel.dataReceived(ASK)
        self.assertIn(b"500 Internal Server Error", self.transport.value())
        self.assertEqual(self.house.registry.active, set())
        self.assertGreaterEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
