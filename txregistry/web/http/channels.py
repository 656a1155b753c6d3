"""HTTP/1.1 connections with limits on heads, idleness, pipelining and closing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from twisted.internet.interfaces import ITCPTransport, ITransport
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers

from txregistry.flow.buffer_budget import BODIES
from txregistry.speed.tls import read_at_once
from txregistry.web.http.connections import SiteContext, set_socket_timeouts
from txregistry.web.http.lingering_close import Closing
from txregistry.web.http.peers import hop_of
from txregistry.web.http.ready import Recording, is_plain
from txregistry.web.http.steps import Steps
from txregistry.web.http.twisted_private import OpenChannel, count_unsent

#: Bytes per read outside of bodies, and of unsent answers before reading stops.
HEAD_READ_BYTES = 64 * 1024

#: Pipelined requests answered in one reactor turn: some milliseconds of work.
REQUESTS_PER_TURN = 16

#: Digits of a ``Content-Length``: 63 bits have 19.
_MAX_LENGTH_DIGITS = 19

#: First bytes of a TLS record with a handshake, of any version (RFC 8446, 5.1).
_TLS_HELLO = b"\x16\x03"


class RegistryChannel(OpenChannel):
    """An HTTP/1.1 connection that starts a request when its head is complete."""

    maxHeaders = 200
    abortTimeout: Any = None  # Closing has its own timers
    _has_received = False
    _unsent_head = b""
    _client_may_send = False
    _closing: Closing | None = None
    _is_lost = False
    _answered_in_turn = 0
    _timeout_is_suspended = False
    _head_began_at: float | None = None
    _plain_head: bytes | None = None
    _recording: Recording | None = None

    def connectionMade(self) -> None:
        """Register the connection with the site, and set its timeouts."""
        self._site = cast(SiteContext, self.factory)
        self.MAX_LENGTH = self.totalHeadersSize = self._site.limits.header_bytes
        super().connectionMade()
        self.steps = Steps(self._site.clock, self.network, self._receive_held)
        set_socket_timeouts(self.transport, self._site.limits)
        self._site.channels.add(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """End the connection's timers, and the request that is being answered."""
        self._is_lost = True
        self._site.channels.discard(self)
        for request in self.requests[:1]:  # only the first is being answered
            request.unsent_bytes = count_unsent(self.transport)
        if self._closing is not None:
            self._closing.connection_lost()
        self.steps.stop()
        super().connectionLost(reason)

    def dataReceived(self, data: bytes) -> None:
        """Process bytes; abort for TLS on a plain port, and for a head that is late.

        Many clients try TLS first: without the abort they wait for a handshake until
        they time out. The idle timer does not end a client that sends a head byte by
        byte, so the time of a head is checked here.
        """
        if self._closing is not None:
            self._closing.discard(data)
            return
        is_tls = not self._has_received and data.startswith(_TLS_HELLO)
        self._has_received = True
        if self.steps.has_backlog:
            self.steps.add(data)
        elif self._answer_again(data):
            return  # a whole head, which is not late
        elif is_tls or self._head_is_late():
            cast(ITCPTransport, self.transport).abortConnection()
        else:
            self._answered_in_turn = 0
            super().dataReceived(data)

    def _answer_again(self, data: bytes) -> bool:
        """Answer a head as the same bytes were a moment ago, if that is right still."""
        ready, self._plain_head = self._site.ready, None
        if ready is None or not self.is_at_rest or not is_plain(data):
            return False
        found = ready.find(data)
        if found is None:
            self._plain_head = data
            return False
        self.resetTimeout()
        transport = cast(ITransport, self.transport)
        transport.write(found.data)
        self._site.answered_again(found, hop_of(transport.getPeer()))
        return True

    def begin_recording(self) -> Recording | None:
        """Record the answer to a request that has just begun, if its head is plain."""
        head, ready = self._plain_head, self._site.ready
        if head is None or ready is None:
            return None
        self._plain_head, self._recording = None, ready.begin(head)
        return self._recording

    def stop_recording(self) -> None:
        """Record no more of the answer under way: it will not be given again."""
        self._recording = None

    def _receive_held(self, data: bytes) -> None:
        """Process bytes from the backlog, unless the connection is closing."""
        self._answered_in_turn = 0
        if self._timeout_is_suspended and not self.is_answering:
            self._timeout_is_suspended = False
            self.resume_timeout()
        if self._closing is None:
            super().dataReceived(data)

    def pauseProducing(self) -> None:
        """Start no more requests: the client does not read its answers fast enough."""
        super().pauseProducing()
        self.steps.suspend()

    def resumeProducing(self) -> None:
        """Start requests again: the client has read its answers."""
        super().resumeProducing()
        self.steps.resume()

    def headerReceived(self, line: bytes) -> bool:
        """Process a header line; answer 400 to a ``Content-Length`` beyond 63 bits.

        ``int`` raises for thousands of digits, and Twisted would then not answer.
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
        """Start a request that has a body; Twisted starts those without one."""
        self._head_began_at = None
        request = self.requests[-1]
        command, path, version = self.request_line
        self.persistent = self.checkPersistence(request, version)
        request.gotLength(self.length)
        if self.length != 0:
            self._raise_read_size()
            request.begin(command, path, version)

    def _raise_read_size(self) -> None:
        """Set the size of reads for a body: its share of the memory budget."""
        read_at_once(self.transport, BODIES.share(len(self._site.active)))

    def writeHeaders(
        self, version: bytes, code: bytes, reason: bytes, headers: Headers
    ) -> None:
        """Buffer the head of an answer, to send it with the first bytes of the body.

        :meth:`flush_head` sends it alone.
        """
        lines = [b"%b %b %b" % (version, code, reason)]
        for name, values in headers.getAllRawHeaders():
            lines += [b"%b: %b" % (name, value) for value in values]
        self._unsent_head = b"\r\n".join((*lines, b"", b""))

    def write(self, data: bytes) -> None:
        """Send bytes of an answer, after its head."""
        head, self._unsent_head = self._unsent_head, b""
        if self._recording is not None and not self._recording.add(head + data):
            self.stop_recording()
        super().write(head + data)

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        """Send bytes of an answer, after its head."""
        if self._unsent_head or self._recording is not None:
            self.write(b"".join(iovec))
        else:
            super().writeSequence(iovec)

    def flush_head(self) -> None:
        """Send the head of an answer whose body may not be available soon."""
        if self._unsent_head:
            self.write(b"")

    def linger_after_answer(self) -> None:
        """Let :meth:`loseConnection` close our half only: a body may still arrive."""
        self._client_may_send = ITCPTransport.providedBy(self.transport)

    def requestDone(self, request: Any) -> None:
        """Start the next pipelined request, or put it off.

        It is put off while the client does not read its answers, which would pile up in
        memory, and after :data:`REQUESTS_PER_TURN` requests, for other clients' sake.
        """
        if self.is_backed_up and self.persistent:
            self.network.pauseProducing()
        self._answered_in_turn += 1
        self._recording = None
        had_turn = self._answered_in_turn >= REQUESTS_PER_TURN
        if had_turn or self.is_backed_up or self.steps.has_backlog:
            self._hold_back(had_turn or self.is_backed_up)
        super().requestDone(request)
        if self.steps.has_backlog and self._closing is None:
            self.network.pauseProducing()
            self._timeout_is_suspended = True
            self.setTimeout(None)  # the client waits for us, so it is not idle

    def _hold_back(self, with_buffer: bool) -> None:
        """Put pipelined bytes back, before the backlog that they preceded.

        :param with_buffer: and those that Twisted has in its line buffer.
        """
        rest = self.take_pipelined()
        self.steps.put_back(rest + self.clearLineBuffer() if with_buffer else rest)

    def loseConnection(self) -> None:
        """Close the connection within a time limit; a second call closes it now."""
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
        # A paused connection would not read the end that the client sends.
        self.network.resumeProducing()

    def allContentReceived(self) -> None:
        """Process the end of a body, unless its request has ended already."""
        read_at_once(self.transport, HEAD_READ_BYTES)
        if self.requests:
            super().allContentReceived()

    def rawDataReceived(self, data: bytes) -> None:
        """Process bytes of a body; drop them if its request has ended already."""
        if self.is_answering:
            super().rawDataReceived(data)  # a pipelined request after the body
        elif self.requests:
            self._raise_read_size()
            self._receive_body(
                data if self.length is not None else self.steps.take_now(data)
            )

    def _receive_body(self, data: bytes) -> None:
        """Feed a read to the body as one piece; close if the body is too slow."""
        request = self.requests[-1]
        request.body.cork()
        super().rawDataReceived(data)
        request.body.uncork(len(data))
        request.count_body_bytes(len(data))
        if request.is_slow(self._site.clock.seconds()) and self._closing is None:
            self.timeoutConnection()
