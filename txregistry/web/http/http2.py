"""HTTP/2 connections: Twisted's, with early requests, limits and timeouts.

The hooks are private to Twisted; ``twisted_private`` gives them public names.

Note [Late bodies]. A request may be answered before its body has arrived. The rest is
dropped, but acknowledged, to refill the window of the connection, which all streams
share. Its end is answered by a PING: curl 7.88, which has its answer, looks only when
something arrives whether the stream is over. If the rest is large the stream is reset,
but not before more of it has come: the same curl loses an answer that it reads together
with the reset.

Note [Signs of life]. For Twisted any received byte resets the idle timeout. Here only
requests, DATA and sent frames of answers do: PING and SETTINGS would keep a connection
open at no cost. A connection that waits for an answer of ours is not idle.
"""

from __future__ import annotations

from typing import Any, cast

from h2.errors import ErrorCodes
from h2.exceptions import FrameTooLargeError, ProtocolError
from h2.settings import SettingCodes
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IPushProducer
from twisted.python.failure import Failure

from txregistry.speed.tls import read_at_once
from txregistry.web.http.body import Body
from txregistry.web.http.connections import SiteContext, set_socket_timeouts
from txregistry.web.http.frames import (
    FRAME_HEAD_BYTES,
    STEP_BYTES,
    ExpensiveReads,
    HeadTimer,
)
from txregistry.web.http.h2_private import (
    ignore_content_length,
    is_open,
    limit_header_list,
    partial_frame,
)
from txregistry.web.http.h2_sending import SendingConnection
from txregistry.web.http.late_bodies import LateBodies, dropped_bytes
from txregistry.web.http.lingering_close import Closing
from txregistry.web.http.pieces import (
    WINDOW_BYTES,
)
from txregistry.web.http.steps import Steps
from txregistry.web.http.twisted_private import request_of
from txregistry.web.http.windows import ClosedWindows

#: Of the PING that answers the end of a late body.
_END_HEARD = b"end seen"

#: Seconds between two checks of the rates of all bodies on a connection.
_RATE_CHECK_SECONDS = 10.0


class RegistryH2Connection(SendingConnection):
    """An HTTP/2 connection that starts requests when their head is complete."""

    abortTimeout: Any = None  # Closing has its own timers
    _close_after_streams = False

    def connectionMade(self) -> None:
        """Register the connection with the site, and send the limits in SETTINGS."""
        self._site = cast(SiteContext, self.factory)
        limits = self._site.limits
        self._windows = ClosedWindows(
            self._site.clock,
            self._window,
            limits.stall_seconds,
            limits.min_rate * limits.stall_seconds,
            self._abort_stream,
        )
        self._reading_heads: set[int] = set()
        self._corked_bodies: list[Body] = []
        self._late_bodies = LateBodies(self._end_late_body)
        self._head_timer = HeadTimer(self.conn)
        self._rates_checked_at = self._site.clock.seconds()
        network = cast(IPushProducer, self.transport)
        slow = ExpensiveReads(self.conn).is_expensive
        self.steps = Steps(self._site.clock, network, self._receive, slow, STEP_BYTES)
        super().connectionMade()
        self._send_limits()
        set_socket_timeouts(self.transport, limits)
        self._site.channels.add(self)

    def _send_limits(self) -> None:
        limits = self._site.limits
        limit_header_list(self.conn, limits.header_bytes)
        self.conn.update_settings(
            {
                SettingCodes.MAX_HEADER_LIST_SIZE: limits.header_bytes,
                SettingCodes.MAX_CONCURRENT_STREAMS: limits.streams,
                SettingCodes.INITIAL_WINDOW_SIZE: WINDOW_BYTES,
            }
        )
        # SETTINGS are about streams only (RFC 9113, 6.9.2).
        self.conn.increment_flow_control_window(
            WINDOW_BYTES - self.conn.inbound_flow_control_window
        )
        self.send_control_frames()

    def connection_lost(self, reason: Failure, is_gone: bool) -> None:
        """End all requests; close the connection if Twisted has only begun to.

        A client could put off the timers that Twisted sets for closing.
        """
        if is_gone:
            self._site.channels.discard(self)
            if self._closing is not None:
                self._closing.connection_lost()
        else:
            self._close()
        self._windows.stop()
        self.steps.stop()
        for stream_id in self.streams:
            self._count_unsent(stream_id)
        # Twisted iterates over this dict; requests that end delete their streams.
        self.streams = dict(self.streams)
        super().connection_lost(reason, is_gone)

    def dataReceived(self, data: bytes) -> None:
        """Process bytes, or discard them while the connection closes."""
        if self._closing is not None:
            self._closing.discard(data)
        elif self.steps.has_backlog:
            self.steps.add(data)
        else:
            self._receive(self.steps.take_now(data))

    def _receive(self, data: bytes) -> None:
        self._is_receiving = True
        try:
            super().dataReceived(data)
        finally:
            # Sending waits for it, in turns of the reactor.
            self._is_receiving = False
        self._uncork_bodies()
        # SETTINGS may open windows as well; Twisted has no hook for that.
        self._resume_opened_streams()
        if self._closing is None:
            self._enforce_frame_limits(len(data))

    def _enforce_frame_limits(self, taken: int) -> None:
        """Close for a frame that is too long or too slow; abort slow bodies."""
        now = self._site.clock.seconds()
        is_late = (
            self._head_timer.elapsed(taken, now) > self._site.limits.header_seconds
        )
        if is_late or self._has_oversized_frame():
            code = ErrorCodes.PROTOCOL_ERROR if is_late else ErrorCodes.FRAME_SIZE_ERROR
            self.conn.close_connection(code)
            self.send_control_frames()
            self.connection_lost(Failure(FrameTooLargeError()), is_gone=False)
        elif now - self._rates_checked_at >= _RATE_CHECK_SECONDS:
            self._rates_checked_at = now
            self._end_slow_bodies(now)

    def _end_slow_bodies(self, now: float) -> None:
        for stream_id, stream in list(self.streams.items()):
            if request_of(stream).is_slow(now):
                self._abort_stream(stream_id)

    def _cork(self, body: Body) -> None:
        """Collect what one read contains of a body, to process it as one piece."""
        if body not in self._corked_bodies:
            self._corked_bodies.append(body)
            body.cork()

    def _uncork_bodies(self) -> None:
        bodies, self._corked_bodies = self._corked_bodies, []
        for body in bodies:
            body.uncork(0)

    def _has_oversized_frame(self) -> bool:
        """Tell whether an incomplete frame exceeds the announced maximum.

        h2 checks a frame only when it is complete, which may be after 16 MiB.
        """
        return len(partial_frame(self.conn)) > self.conn.max_inbound_frame_size + (
            FRAME_HEAD_BYTES
        )

    def resetTimeout(self) -> None:
        """Reset the idle timeout, but not for any byte; see Note [Signs of life]."""
        if not self._is_receiving:
            super().resetTimeout()

    def _note_activity(self) -> None:
        """Reset the idle timeout: a frame counts as a sign of life."""
        super().resetTimeout()

    def timeoutConnection(self) -> None:
        """Close an idle connection, unless it waits for an answer.

        Streams whose client reads nothing have timeouts of their own.
        """
        asked = any(request_of(x).body.complete for x in self.streams.values())
        if asked and not self.is_backed_up:
            self.setTimeout(self.timeOut)
            return
        super().timeoutConnection()
        self._close()

    def loseConnection(self) -> None:
        """Close the connection after the streams that are open, within a time limit.

        A second call does not wait for the streams; a third closes at once.
        """
        if self._closing is not None:
            self._closing.close_now()
        elif self.streams and not self._close_after_streams:
            self._close_after_streams = True
        else:
            self._close()

    def _close(self) -> None:
        if self._closing is not None:
            return
        transport: Any = self.transport
        self._closing = Closing(transport, self._site.clock.callLater)
        self.setTimeout(None)
        # Flush what was written, but send no more of any answer. TLS ends only after
        # the producer is unregistered.
        self.stop_sending()
        self.resumeProducing()
        if self.steps.has_backlog:
            self.steps.stop()
            transport.resumeProducing()
        transport.unregisterProducer()
        self._closing.begin(client_may_send=False)

    def request_received(self, event: Any) -> None:
        """Start a request; refuse it if the connection has too many streams."""
        if len(self.streams) >= self._site.limits.streams:
            # Nothing was done for it, so the client may retry it (RFC 9113, 8.7).
            self._reset(event.stream_id, ErrorCodes.REFUSED_STREAM)
            return
        self._note_activity()
        self._reading_heads.add(event.stream_id)
        super().request_received(event)
        self._reading_heads.discard(event.stream_id)
        if event.stream_ended is None:
            self._begin_with_body(self.streams[event.stream_id])

    def _begin_with_body(self, stream: Any) -> None:
        """Start a request that may have a body, before Twisted would."""
        request = request_of(stream)
        if not request.requestHeaders.hasHeader(b"Content-Length"):
            # Twisted assumes that a GET has no body.
            request.gotLength(None)
        if request.body.content_length != 0:
            read_at_once(self.transport, WINDOW_BYTES)
            request.begin(stream.command, stream.path, b"HTTP/2")

    def request_data_received(self, event: Any) -> None:
        """Feed DATA to a body; drop it after the answer, see Note [Late bodies]."""
        stream = self.streams.get(event.stream_id)
        if stream is not None:
            self._note_activity()
            request = request_of(stream)
            self._cork(request.body)
            request.count_body_bytes(event.flow_controlled_length)
            super().request_data_received(event)
            return
        length = event.flow_controlled_length
        self.conn.acknowledge_received_data(length, event.stream_id)
        self.send_control_frames()
        self._late_bodies.count(event.stream_id, length + FRAME_HEAD_BYTES)

    def writeHeaders(
        self, version: Any, code: Any, reason: Any, headers: Any, stream_id: int
    ) -> None:
        """Send the head of an answer; accept a body that the client then cuts short."""
        stream = self.streams.get(stream_id)
        if stream is not None and not request_of(stream).body.complete:
            ignore_content_length(self.conn, stream_id)
        super().writeHeaders(version, code, reason, headers, stream_id)

    def request_done(self, stream_id: int) -> None:
        """End a stream and report its request; see also Note [Late bodies]."""
        request = request_of(self.streams[stream_id])
        self._windows.forget(stream_id)
        super().request_done(stream_id)
        request.report()
        if not request.body.complete and is_open(self.conn, stream_id):
            self._late_bodies.expect(stream_id, dropped_bytes(request))
        if self._close_after_streams and not self.streams:
            self._close()

    def _end_late_body(self, stream_id: int) -> None:
        self._reset(stream_id, ErrorCodes.NO_ERROR)

    def _reset(self, stream_id: int, code: ErrorCodes) -> None:
        try:
            self.conn.reset_stream(stream_id, code)
        except ProtocolError:
            return  # the stream is closed already
        self.send_control_frames()

    def priority_updated(self, event: Any) -> None:
        """Ignore priorities, which are deprecated (RFC 9113, 5.3.2).

        Twisted would store one for each of any number of streams that do not exist.
        """

    def request_ended(self, event: Any) -> None:
        """Process the end of a body, whose request may have been answered already."""
        if self._late_bodies.forget(event.stream_id):
            self.conn.ping(_END_HEARD)
            self.send_control_frames()
        if event.stream_id in self.streams:
            super().request_ended(event)

    def request_aborted(self, event: Any) -> None:
        """Process a reset by the client."""
        self._late_bodies.forget(event.stream_id)
        if event.stream_id in self.streams:
            self._count_unsent(event.stream_id)
            super().request_aborted(event)

    def _count_unsent(self, stream_id: int) -> None:
        queue = self.send_queues[stream_id]
        sizes = (len(part) for part in queue if isinstance(part, bytes))
        request_of(self.streams[stream_id]).unsent_bytes = sum(sizes)

    def send_stream_continue(self, stream_id: int) -> None:
        """Send 100 Continue when the body is read; Twisted would with the head."""
        if stream_id not in self._reading_heads:
            super().send_stream_continue(stream_id)

    def _abort_stream(self, stream_id: int) -> None:
        """Abort a stream whose client reads or sends too slowly."""
        self._count_unsent(stream_id)
        self._late_bodies.forget(stream_id)
        self.streams[stream_id].connectionLost(
            Failure(ConnectionLost("the client reads or sends too slowly"))
        )
        self._reset(stream_id, ErrorCodes.CANCEL)
        if stream_id in self.streams:
            self.request_done(stream_id)
