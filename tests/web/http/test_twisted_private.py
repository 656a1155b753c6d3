"""What we rely on of Twisted's HTTP server, of which it promises nothing."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol
from twisted.internet.ssl import CertificateOptions
from twisted.internet.task import Clock
from twisted.internet.tcp import Server
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers
from twisted.web.resource import Resource
from twisted.web.server import Site

from txregistry.web.http.twisted_private import (
    OpenChannel,
    OpenH2Connection,
    OpenRequest,
    connection_of,
    count_unsent,
    request_of,
    send_continue,
    unsent_bytes,
)


class IdleReactor:
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
        reactor: Any = IdleReactor()
        address: Any = ("127.0.0.1", 1)
        server: Any = None
        self.transport: Any = Server(ours, Protocol(), address, server, 1, reactor)
        self.transport.protocol.makeConnection(self.transport)

    def test_tls(self) -> None:
        """With TLS, which may begin later, it cannot be told what was taken."""
        self.transport.write(b"first")
        self.assertEqual(count_unsent(self.transport), 5)
        self.transport.startTLS(CertificateOptions())
        self.assertEqual(count_unsent(self.transport), 0)
        self.assertEqual(count_unsent(StringTransport()), 0)

    def test_what_waits(self) -> None:
        """What is written waits, and is counted."""
        self.assertEqual(unsent_bytes(self.transport), 0)
        self.transport.write(b"first")
        self.transport.writeSequence([b", ", b"next"])
        self.assertEqual(unsent_bytes(self.transport), 11)
        self.transport.doWrite()
        self.assertEqual(unsent_bytes(self.transport), 0)

    def test_what_is_left(self) -> None:
        """What the kernel has taken of a piece is not counted any more."""
        size = 8 * 1024 * 1024
        self.transport.write(bytes(size))
        self.transport.doWrite()
        left = unsent_bytes(self.transport)
        self.assertTrue(0 < left < size)


class Request(OpenRequest):
    """A request that somebody answers later."""

    began: list[Request] = []

    def process(self) -> None:
        self.began.append(self)


class Channel(OpenChannel):
    """A connection without a site."""

    requestFactory = Request

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.site = Site(Resource())
        self.callLater = self.clock.callLater  # type: ignore[method-assign]
        self.timeOut = 30


class Http1Tests(SynchronousTestCase):
    """HTTP/1.1."""

    def setUp(self) -> None:
        self.patch(Request, "began", [])
        self.transport = StringTransport()
        self.channel = Channel()
        self.channel.makeConnection(self.transport)

    def ask(self, more: bytes = b"", head: bytes = b"") -> None:
        """Let the client send a request, and what comes after it."""
        self.channel.dataReceived(
            b"GET /here HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n" + more
        )

    def test_network(self) -> None:
        """What is paused is the transport."""
        self.channel.network.pauseProducing()
        self.assertEqual(self.transport.producerState, "paused")

    def test_request_line(self) -> None:
        """It is known when the head is in, and no body has come."""
        lines = []
        self.channel.allHeadersReceived = (  # type: ignore[method-assign]
            lambda: lines.append(self.channel.request_line)
        )
        self.ask(head=b"Content-Length: 1\r\n")
        self.assertEqual(lines, [(b"GET", b"/here", b"HTTP/1.1")])

    def test_pipelining(self) -> None:
        """What comes while a request is answered can be taken away."""
        self.assertFalse(self.channel.is_answering)
        self.ask(b"GET /next")
        self.channel.dataReceived(b" HTTP")
        self.assertTrue(self.channel.is_answering, "requests are begun at once")
        self.assertEqual(self.channel.take_pipelined(), b"GET /next HTTP")
        self.assertEqual(self.channel.take_pipelined(), b"")
        Request.began[0].finish()
        self.assertFalse(self.channel.is_answering)

    def test_backed_up(self) -> None:
        """A client that takes nothing is known."""
        self.channel.pauseProducing()
        self.assertTrue(self.channel.is_backed_up, "answers pile up in memory")
        self.channel.resumeProducing()
        self.assertFalse(self.channel.is_backed_up)

    def test_timeout(self) -> None:
        """The time of an idle client does not count while it is answered."""
        self.ask()
        self.assertEqual(self.channel.clock.getDelayedCalls(), [])
        self.channel.resume_timeout()
        [call] = self.channel.clock.getDelayedCalls()
        self.assertEqual(call.getTime(), 30)
        self.channel.setTimeout(None)

    def test_refusal(self) -> None:
        """A refusal is 400, and the end."""
        self.channel.refuse()
        self.assertTrue(self.transport.value().startswith(b"HTTP/1.1 400"))
        self.assertTrue(self.transport.disconnecting)

    def test_limits(self) -> None:
        """Heads are limited in their lines and in their bytes."""
        for name in ("maxHeaders", "totalHeadersSize", "MAX_LENGTH"):
            self.setUp()
            setattr(self.channel, name, 3)
            self.ask(head=b"A: b\r\n" * 4)
            self.assertEqual(Request.began, [], name)

    def test_continue(self) -> None:
        """Whoever waits to send is told to."""
        send_continue(self.channel)
        self.assertEqual(self.transport.value(), b"HTTP/1.1 100 Continue\r\n\r\n")

    def test_disconnected(self) -> None:
        """A request knows that its client has gone."""
        self.ask()
        [request] = Request.began
        self.assertFalse(request.is_disconnected)
        self.assertIs(connection_of(request.channel), self.channel)
        gone = request.notifyFinish()
        self.channel.connectionLost(Failure(ConnectionLost()))
        self.failureResultOf(gone, ConnectionLost)
        self.assertTrue(request.is_disconnected)


HOOKS = (
    "request_received",
    "request_data_received",
    "request_ended",
    "request_aborted",
    "request_done",
    "priority_updated",
    "window_updated",
    "send_stream_continue",
    "send_next_frame",
)


def recording(name: str) -> Callable[..., None]:
    """Make a hook that notes that it was called, and does as ever."""

    def hook(self: Any, *args: Any) -> None:
        self.called.append(name)
        getattr(OpenH2Connection, name)(self, *args)

    return hook


Hooked: Any = type(
    "Hooked", (OpenH2Connection,), {name: recording(name) for name in HOOKS}
)


class Recording(Hooked):
    """A connection without a site that notes which hooks were called."""

    requestFactory = Request
    timeOut = None
    site = factory = Site(Resource())

    def __init__(self, clock: Clock) -> None:
        self.called: list[str] = []
        self.ends: list[bool] = []
        super().__init__(clock)
        self.callLater = clock.callLater

    def connection_lost(self, reason: Failure, is_gone: bool) -> None:
        self.ends.append(is_gone)
        super().connection_lost(reason, is_gone)


class Http2Tests(SynchronousTestCase):
    """HTTP/2."""

    HEAD = ((":method", "PUT"), (":path", "/"), (":scheme", "http"))

    def setUp(self) -> None:
        self.clock = Clock()
        self.transport = StringTransport()
        self.connection = Recording(self.clock)
        self.patch(Request, "began", [])
        self.connection.makeConnection(self.transport)
        self.client = H2Connection(H2Configuration())
        self.client.initiate_connection()
        self.pass_on()

    def pass_on(self) -> None:
        """Let both take what the other one says."""
        self.connection.dataReceived(self.client.data_to_send())
        self.clock.advance(0)
        self.hear()

    def hear(self) -> None:
        """Let the client take what it was sent."""
        self.client.receive_data(self.transport.value())
        self.transport.clear()

    def ask(self, *headers: tuple[str, str]) -> Any:
        """Let the client begin a request, and give its stream."""
        self.client.send_headers(1, (*self.HEAD, (":authority", "x"), *headers))
        self.pass_on()
        return self.connection.streams[1]

    def answer(self, size: int) -> Any:
        """Let the client end its request, and get an answer."""
        stream = self.ask()
        self.client.end_stream(1)
        self.pass_on()
        stream.writeHeaders(b"HTTP/2", b"200", b"", Headers())
        stream.write(bytes(size))  # goes out at once, and the next one in a turn
        stream.write(bytes(size))
        return stream

    def assertCalled(self, name: str) -> None:
        why = "Twisted calls it by another name, and what we do there is not done"
        self.assertIn(name, self.connection.called, f"{name}: {why}")

    def test_requests(self) -> None:
        """Its head, its body and its end can each be met."""
        stream = self.ask()
        self.assertCalled("request_received")
        self.assertNotIn("request_data_received", self.connection.called)
        self.client.send_data(1, b"body")
        self.pass_on()
        self.assertCalled("request_data_received")
        self.assertEqual(Request.began, [])
        self.client.end_stream(1)
        self.pass_on()
        self.assertCalled("request_ended")
        self.assertEqual(Request.began, [request_of(stream)])

    def test_streams(self) -> None:
        """A stream knows its request and its connection."""
        stream = self.ask()
        self.assertIs(request_of(stream).channel, stream)
        self.assertIs(connection_of(stream), self.connection)
        self.assertTrue(IPushProducer.providedBy(stream))

    def test_reset(self) -> None:
        """A client that resets a stream is heard, and the stream is done."""
        request = request_of(self.ask())
        self.client.reset_stream(1, ErrorCodes.CANCEL)
        self.pass_on()
        self.assertCalled("request_aborted")
        self.assertCalled("request_done")
        self.assertTrue(request.is_disconnected)

    def test_priorities(self) -> None:
        """What a client says of priorities can be passed over."""
        self.client.prioritize(1, weight=3)
        self.pass_on()
        self.assertCalled("priority_updated")

    def test_answer(self) -> None:
        """It goes out frame by frame, from a queue, until its stream is done."""
        stream = self.answer(5)
        self.assertCalled("send_next_frame")
        stream.loseConnection()
        piece, end = self.connection.send_queues[1]
        self.assertEqual(piece, bytes(5))
        self.assertNotIsInstance(end, bytes)
        self.clock.pump([0, 0])
        self.assertCalled("request_done")
        self.assertEqual(dict(self.connection.send_queues), {})

    def test_windows(self) -> None:
        """A client that takes more says so."""
        self.answer(100)
        self.client.increment_flow_control_window(10)
        self.client.increment_flow_control_window(10, 1)
        self.pass_on()
        self.assertEqual(self.connection.called.count("window_updated"), 2)

    def test_continue(self) -> None:
        """Who waits to send is told when the head is read, unless we prevent it."""
        stream = self.ask(("expect", "100-continue"))
        self.assertCalled("send_stream_continue")
        before = len(self.connection.called)
        send_continue(stream)
        self.assertEqual(self.connection.called[before:], ["send_stream_continue"])

    def test_sleeping_sender(self) -> None:
        """The sending loop sleeps without anything to send, and can be woken."""
        self.clock.advance(0)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        before = self.connection.called.count("send_next_frame")
        self.connection.wake_sender()
        after = self.connection.called.count("send_next_frame")
        self.assertEqual(after - before, 1, "streams whose windows open stay asleep")

    def test_stopped_sender(self) -> None:
        """It sends no more once it is told so."""
        self.answer(5)
        self.connection.stop_sending()
        self.clock.pump([0, 0])
        self.assertEqual(len(self.connection.send_queues[1]), 1)

    def test_control_frames(self) -> None:
        """What h2 has to say goes out when we say so, and has a limit."""
        self.connection.conn.ping(b"01234567")
        self.assertTrue(self.connection.send_control_frames())
        self.assertIn(b"01234567", self.transport.value())

    def test_control_frames_that_nobody_takes(self) -> None:
        """They wait, and are too many at some time: the connection is gone."""
        self.assertFalse(self.connection.is_backed_up)
        self.connection.pauseProducing()
        self.assertTrue(self.connection.is_backed_up)
        lived = []
        for _ in range(1100):
            self.connection.conn.ping(b"01234567")
            lived.append(self.connection.send_control_frames())
        self.assertEqual((lived[0], lived[-1]), (True, False), "PINGs fill the memory")

    def test_ends(self) -> None:
        """An end that has begun is told from one that is there."""
        self.client.close_connection()
        self.connection.dataReceived(self.client.data_to_send())
        self.assertEqual(self.connection.ends, [False])
        self.connection.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(self.connection.ends, [False, True])
