"""Connections of HTTP/1.1, with our limits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from socket import AF_INET, AF_INET6, IPPROTO_TCP, TCP_USER_TIMEOUT
from typing import Any, Protocol, cast

import attrs
from twisted.internet.interfaces import (
    IAddress,
    IPushProducer,
    IReactorTime,
    ISSLTransport,
    ITCPTransport,
    ITransport,
)
from twisted.internet.protocol import connectionDone
from twisted.internet.tcp import Connection
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers

from txregistry.flow.buffer_budget import BODIES
from txregistry.flow.eager_write import count_unsent, send_now
from txregistry.spec.proxies import TrustedProxies
from txregistry.web.http.dates import DateLine
from txregistry.web.http.idle import IdleTimer
from txregistry.web.http.lingering_close import Closing
from txregistry.web.http.steps import Steps
from txregistry.web.http.twisted_private import H2Stream, OpenChannel

#: What is no body is read in pieces of at most this, and no more of answers waits to be
#: sent before we stop reading.
HEAD_READ_BYTES = 64 * 1024

#: Requests of one connection that are begun in one turn: some milliseconds of work.
REQUESTS_PER_TURN = 16

#: The longest time that the kernel can be told.
_MAX_MILLISECONDS = 2**31 - 1

#: Of a length: 63 bits have 19.
_MAX_LENGTH_DIGITS = 19

#: What TLS begins with: a handshake of any version (RFC 8446, 5.1).
_TLS_HELLO = b"\x16\x03"


@attrs.frozen
class ChannelLimits:
    """What one connection may take.

    :ivar header_bytes: of all headers of a request; multi-range headers of about 1,024
        parts and large tokens fit below the default.
    :ivar header_seconds: from the first byte of a head to its last.
    :ivar idle_seconds: without a byte from a client that is expected to send.
    :ivar stall_seconds: without a client taking any of what is sent to it; 0 leaves
        that to the kernel.
    :ivar connections: of the whole listener.
    :ivar streams: at once, of one connection of HTTP/2; further ones are refused, and
        may come again.
    :ivar min_rate: of a body, in bytes per second over a minute, while we take it, and
        of what the client of an HTTP/2 stream makes room for over ``stall_seconds``
        without any; 0 for any.
    """

    header_bytes: int = 128 * 1024
    header_seconds: float = 30.0
    idle_seconds: float = 60.0
    stall_seconds: float = 300.0
    connections: int = 10_000
    streams: int = 32
    min_rate: float = 100.0


class SiteContext(Protocol):
    """The part of the site that requests and connections use."""

    clock: IReactorTime
    limits: ChannelLimits
    headers: Mapping[str, tuple[str, ...]]
    active: set[Any]
    resource: Any
    channels: set[Any]
    draining: bool
    date: DateLine
    proxies: TrustedProxies

    def strip_prefix(self, path: bytes) -> bytes:
        """Take the prefix off."""

    def request_ended(self, request: Any) -> None:
        """Take the report of a request."""


def set_socket_timeouts(transport: Any, limits: ChannelLimits) -> None:
    """Let the kernel notice a peer that is dead, or takes nothing of what is sent.

    Where it takes nothing, who reads what it asked for would keep that for ever. Only
    the kernel knows how much has been taken, of files that it sends itself as well.
    """
    if not ITCPTransport.providedBy(transport):
        return
    transport.setTcpKeepAlive(True)
    is_tls = ISSLTransport.providedBy(transport)
    below = cast(Any, transport).transport if is_tls else transport
    # For Twisted, a connection by a path of the file system is one of TCP, too.
    if isinstance(below, Connection):
        socket = below.getHandle()
        if socket.family in (AF_INET, AF_INET6):
            milliseconds = min(int(limits.stall_seconds * 1000), _MAX_MILLISECONDS)
            socket.setsockopt(IPPROTO_TCP, TCP_USER_TIMEOUT, milliseconds)


def body_producer(channel: Any) -> IPushProducer:
    """Give what is to be paused so that no more of a body comes."""
    if isinstance(channel, H2Stream):
        return cast(IPushProducer, channel)
    steps: IPushProducer = channel.steps
    return steps


def expects_continue(request: Any) -> bool:
    """Tell whether a client has asked to be told before it sends a body."""
    expected = request.requestHeaders.getRawHeaders(b"Expect", [b""])[0]
    return bool(
        expected.lower() == b"100-continue"
        and request.clientproto != b"HTTP/1.0"
        and not request.body.received
        and not request.body.complete
    )


class RegistryChannel(OpenChannel):
    """An HTTP/1.1 connection that begins requests when their head is in."""

    maxHeaders = 200
    abortTimeout: Any = None  # how a connection ends is watched by ours
    _has_received = False
    _unsent_head = b""
    _client_may_send = False
    _closing: Closing | None = None
    _is_lost = False
    _answered_in_turn = 0
    _timeout_is_suspended = False
    _head_began_at: float | None = None
    _peer: IAddress | None = None
    _host: IAddress | None = None
    _secure: bool | None = None

    def connectionMade(self) -> None:
        """Remember the connection for draining, and have it watched."""
        self._site = cast(SiteContext, self.factory)
        self._idle = IdleTimer(self._site.clock)
        self.MAX_LENGTH = self.totalHeadersSize = self._site.limits.header_bytes
        super().connectionMade()
        self.steps = Steps(self._site.clock, self.network, self._receive_held)
        set_socket_timeouts(self.transport, self._site.limits)
        self._site.channels.add(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Forget the connection."""
        self._is_lost = True
        self._site.channels.discard(self)
        for request in self.requests[:1]:  # only the first is being answered
            request.unsent_bytes = count_unsent(self.transport)
        if self._closing is not None:
            self._closing.connection_lost()
        self.steps.stop()
        super().connectionLost(reason)
        self._idle.stop()

    def callLater(self, period: float, func: Callable[[], object]) -> IdleTimer:
        """Give the one timer there is, of a client that is expected to send."""
        return self._idle.start(period, func)

    def getPeer(self) -> IAddress:
        """Give the address at the other end; each request asks several times."""
        if self._peer is None:
            self._peer = super().getPeer()
        return self._peer

    def getHost(self) -> IAddress:
        """Give our own address, of which the kernel is asked once."""
        if self._host is None:
            self._host = super().getHost()
        return self._host

    def isSecure(self) -> bool:
        """Tell whether this is TLS, which a connection stays."""
        if self._secure is None:
            self._secure = bool(super().isSecure())
        return self._secure

    def dataReceived(self, data: bytes) -> None:
        """Take bytes; a client that speaks TLS to us is told so by a closed door.

        Many try TLS first, and would wait for an answer that cannot come. A client that
        sends nothing at all is idle; one that sends a byte of a head now and then is
        caught here.
        """
        if self._closing is not None:
            self._closing.discard(data)
            return
        is_tls = not self._has_received and data.startswith(_TLS_HELLO)
        self._has_received = True
        if self.steps.has_backlog:
            self.steps.add(data)
        elif is_tls or self._head_is_late():
            cast(ITCPTransport, self.transport).abortConnection()
        else:
            self._answered_in_turn = 0
            super().dataReceived(data)

    def _receive_held(self, data: bytes) -> None:
        """Take what came earlier, unless the connection is being closed."""
        self._answered_in_turn = 0
        if self._timeout_is_suspended and not self.is_answering:
            self._timeout_is_suspended = False
            self.resume_timeout()
        if self._closing is None:
            super().dataReceived(data)

    def pauseProducing(self) -> None:
        """Hear that the client takes too little: begin nothing more."""
        super().pauseProducing()
        self.steps.suspend()

    def resumeProducing(self) -> None:
        """Hear that the client takes more."""
        super().resumeProducing()
        self.steps.resume()

    def headerReceived(self, line: bytes) -> bool:
        """Take a header; a length of more digits than there are bytes is refused.

        Python reads no number of thousands of digits, and Twisted gives no answer then.
        """
        name, _, value = line.partition(b":")
        is_length = name.lower() == b"content-length"
        if is_length and len(value.strip(b" \t")) > _MAX_LENGTH_DIGITS:
            self.refuse()
            return False
        return bool(super().headerReceived(line))

    def _head_is_late(self) -> bool:
        if not self.line_mode:
            return False
        now = self._site.clock.seconds()
        if self._head_began_at is None:
            self._head_began_at = now
        return now - self._head_began_at > self._site.limits.header_seconds

    def allHeadersReceived(self) -> None:
        """Begin a request that has a body; others begin when they are complete."""
        self._head_began_at = None
        request = self.requests[-1]
        command, path, version = self.request_line
        self.persistent = self.checkPersistence(request, version)
        request.gotLength(self.length)
        if self.length != 0:
            self._raise_read_size()
            request.begin(command, path, version)

    def _raise_read_size(self) -> None:
        """Read a body in pieces as large as there is room for at the moment."""
        transport: Any = self.transport
        transport.bufferSize = BODIES.share(len(self._site.active))

    def writeHeaders(
        self, version: bytes, code: bytes, reason: bytes, headers: Headers
    ) -> None:
        """Hold the head of an answer until what goes with it, or :meth:`flush_head`."""
        lines = [b"%b %b %b" % (version, code, reason)]
        for name, values in headers.getAllRawHeaders():
            lines += [b"%b: %b" % (name, value) for value in values]
        self._unsent_head = b"\r\n".join((*lines, b"", b""))

    def write(self, data: bytes) -> None:
        """Send part of an answer; the head with the first."""
        head, self._unsent_head = self._unsent_head, b""
        if head:
            send_now(self.transport, head + data)
        else:
            super().write(data)

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        """Send part of an answer; the head with the first."""
        if self._unsent_head:
            self.write(b"".join(iovec))
        else:
            super().writeSequence(iovec)

    def flush_head(self) -> None:
        """Send the head of an answer of which no more may come soon."""
        if self._unsent_head:
            self.write(b"")

    def linger_after_answer(self) -> None:
        """Say that the client may still be sending when its answer is out."""
        self._client_may_send = ITCPTransport.providedBy(self.transport)

    def requestDone(self, request: Any) -> None:
        """Go on to the next, unless the client takes no answers, or had its turn.

        A client that sends one request after another and reads nothing would else have
        us keep all the answers, and others wait for all of them.
        """
        if self.is_backed_up and self.persistent:
            self.network.pauseProducing()
        self._answered_in_turn += 1
        had_turn = self._answered_in_turn >= REQUESTS_PER_TURN
        if had_turn or self.is_backed_up or self.steps.has_backlog:
            self._hold_back(had_turn or self.is_backed_up)
        super().requestDone(request)
        if self.steps.has_backlog and self._closing is None:
            self.network.pauseProducing()
            self._timeout_is_suspended = True
            self.setTimeout(None)  # it is for us to go on

    def _hold_back(self, all_of_it: bool) -> None:
        """Hold back what came after a request, before what is held back already."""
        came = self.take_pipelined()
        self.steps.put_back(came + self.clearLineBuffer() if all_of_it else came)

    def loseConnection(self) -> None:
        """Close the connection, in time; whoever asks again waits for nothing."""
        if self._is_lost:
            return
        if self._closing is not None:
            self._closing.close_now()
            return
        self.setTimeout(None)
        call_later = self._site.clock.callLater
        self._closing = Closing(cast(ITransport, self.transport), call_later)
        self.network.unregisterProducer()
        self._closing.begin(self._client_may_send)
        # It may have been held back, and what ends it comes after that.
        self.network.resumeProducing()

    def allContentReceived(self) -> None:
        """Hear of the end of a body, unless its request has been answered and gone."""
        transport: Any = self.transport
        transport.bufferSize = HEAD_READ_BYTES
        if self.requests:
            super().allContentReceived()

    def rawDataReceived(self, data: bytes) -> None:
        """Take part of a body, as long as there is a request that it belongs to."""
        if self.is_answering:
            super().rawDataReceived(data)  # what comes after it
        elif self.requests:
            self._raise_read_size()
            self._receive_body(
                data if self.length is not None else self.steps.take_now(data)
            )

    def _receive_body(self, data: bytes) -> None:
        """Take part of a body, and whatever it brings in one piece."""
        request = self.requests[-1]
        request.body.cork()
        super().rawDataReceived(data)
        request.body.uncork(len(data))
        request.count_body_bytes(len(data))
        if request.is_slow(self._site.clock.seconds()) and self._closing is None:
            self.timeoutConnection()
