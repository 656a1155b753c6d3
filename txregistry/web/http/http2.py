"""HTTP/2 connections: Twisted's, with requests that begin early, and with our limits.

The hooks are private to Twisted; they have names of ours in ``twisted_private``.

Note [Full windows]. Twisted's sending loop turns for ever while a stream has something
to send and its client takes nothing. Such a stream is set aside here until its window
opens, and the loop is then started again if it had stopped. It is given up when that
takes longer than a client may take (``stall_seconds``), and nothing is read ahead for
it: what is asked for while the window is closed is not even begun.

Note [What waits to be sent]. Twisted reads on until the window is used up, which may be
2 GiB, whether the connection takes anything or not. Here more is read when less than a
frame waits. It is cut into frames once: Twisted would copy the rest for each.

Note [Late bodies]. A request may be answered before its body has come. The rest is
dropped, and acknowledged for the window of the connection, which all streams share.

Note [Signs of life]. Twisted takes every byte for one. Ours are what a client asks,
sends of a body, or takes of an answer: PING and SETTINGS cost a client nothing, and
keep no connection. One is not idle while it waits for us.
"""

from __future__ import annotations

from typing import Any, cast

from h2.errors import ErrorCodes
from h2.exceptions import FrameTooLargeError, ProtocolError
from h2.settings import SettingCodes
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IPushProducer
from twisted.python.failure import Failure

from txregistry.web.http.body import Body
from txregistry.web.http.channels import SiteContext, set_socket_timeouts
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
from txregistry.web.http.lingering_close import Closing
from txregistry.web.http.request import MAX_DROPPED_BYTES
from txregistry.web.http.steps import Steps
from txregistry.web.http.twisted_private import OpenH2Connection, request_of
from txregistry.web.http.windows import ClosedWindows

#: Bytes of a frame, which every client takes (RFC 9113, 4.2).
_FRAME_BYTES = 16 * 1024

#: Seconds between two looks at how fast bodies come of which nothing comes.
_RATE_CHECK_SECONDS = 10.0


class RegistryH2Connection(OpenH2Connection):
    """An HTTP/2 connection that begins requests when their head is in."""

    abortTimeout: Any = None  # how a connection ends is watched by ours
    _closing: Closing | None = None
    _close_after_streams = False
    _is_receiving = False

    def connectionMade(self) -> None:
        """Remember the connection for draining, and say what a client may take."""
        self._site = cast(SiteContext, self.factory)
        limits = self._site.limits
        self._windows = ClosedWindows(
            self._site.clock,
            limits.stall_seconds,
            limits.min_rate * limits.stall_seconds,
            self._abort_stream,
        )
        self._reading_heads: set[int] = set()
        self._corked_bodies: list[Body] = []
        self._late_bodies: dict[int, int] = {}
        self._head_timer = HeadTimer(self.conn)
        self._rates_checked_at = self._site.clock.seconds()
        network = cast(IPushProducer, self.transport)
        slow = ExpensiveReads(self.conn).is_expensive
        self.steps = Steps(self._site.clock, network, self._receive, slow, STEP_BYTES)
        super().connectionMade()
        limit_header_list(self.conn, limits.header_bytes)
        self.conn.update_settings(
            {
                SettingCodes.MAX_HEADER_LIST_SIZE: limits.header_bytes,
                SettingCodes.MAX_CONCURRENT_STREAMS: limits.streams,
            }
        )
        self.send_control_frames()
        set_socket_timeouts(self.transport, limits)
        self._site.channels.add(self)

    def connection_lost(self, reason: Failure, is_gone: bool) -> None:
        """End all requests, and forget the connection when it has gone.

        Twisted's timers for one that it has begun to close are put off by a client.
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
        # A request that ends takes its stream out, and the others are still to be told.
        self.streams = dict(self.streams)
        super().connection_lost(reason, is_gone)

    def dataReceived(self, data: bytes) -> None:
        """Take bytes, until there is nothing more to be said."""
        if self._closing is not None:
            self._closing.discard(data)
        elif self.steps.has_backlog:
            self.steps.add(data)
        else:
            self._receive(self.steps.take_now(data))

    def _receive(self, data: bytes) -> None:
        self._is_receiving = True
        super().dataReceived(data)
        self._is_receiving = False
        self._uncork_bodies()
        # SETTINGS open windows as well, and Twisted does not look at them.
        self._resume_opened_streams()
        if self._closing is None:
            self._enforce_frame_limits(len(data))

    def _enforce_frame_limits(self, taken: int) -> None:
        """Part with a client that sends too much of a frame, or too slowly."""
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
        """Have what one read brings of a body taken in one piece."""
        if body not in self._corked_bodies:
            self._corked_bodies.append(body)
            body.cork()

    def _uncork_bodies(self) -> None:
        bodies, self._corked_bodies = self._corked_bodies, []
        for body in bodies:
            body.uncork(0)

    def _has_oversized_frame(self) -> bool:
        """Tell whether a frame has begun that is longer than we have permitted.

        h2 says so when it has all of it, which may be 16 MiB.
        """
        return len(partial_frame(self.conn)) > self.conn.max_inbound_frame_size + (
            FRAME_HEAD_BYTES
        )

    def resetTimeout(self) -> None:
        """Begin to count anew; see Note [Signs of life] for what is no reason to."""
        if not self._is_receiving:
            super().resetTimeout()

    def _note_activity(self) -> None:
        """Take a frame for a sign of life."""
        super().resetTimeout()

    def timeoutConnection(self) -> None:
        """Say that nothing came for too long, and close, unless it is for us to speak.

        A stream whose client takes nothing of it has a clock of its own.
        """
        asked = any(request_of(x).body.complete for x in self.streams.values())
        if asked and not self.is_backed_up:
            self.setTimeout(self.timeOut)
            return
        super().timeoutConnection()
        self._close()

    def loseConnection(self) -> None:
        """Close the connection, in time; whoever asks again waits for nothing.

        Answers of which a part is still to be sent come first.
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
        # What we have said is flushed, but no more is to be sent of answers. TLS ends
        # only without a producer.
        self.stop_sending()
        self.resumeProducing()
        if self.steps.has_backlog:
            self.steps.stop()
            transport.resumeProducing()
        transport.unregisterProducer()
        self._closing.begin(client_may_send=False)

    def request_received(self, event: Any) -> None:
        """Begin a request, unless there are too many of this client."""
        if len(self.streams) >= self._site.limits.streams:
            # Nothing was done for it: its client may ask again (RFC 9113, 8.7).
            self._reset(event.stream_id, ErrorCodes.REFUSED_STREAM)
            return
        self._note_activity()
        self._reading_heads.add(event.stream_id)
        super().request_received(event)
        self._reading_heads.discard(event.stream_id)
        if event.stream_ended is None:
            self._begin_with_body(self.streams[event.stream_id])

    def _begin_with_body(self, stream: Any) -> None:
        """Begin a request that goes on after its head, unless it says by nothing."""
        request = request_of(stream)
        if not request.requestHeaders.hasHeader(b"Content-Length"):
            # Twisted takes it for granted that a GET ends with its head.
            request.gotLength(None)
        if request.body.content_length != 0:
            request.begin(stream.command, stream.path, b"HTTP/2")

    def request_data_received(self, event: Any) -> None:
        """Take part of a body, or drop it after the answer."""
        stream = self.streams.get(event.stream_id)
        if stream is not None:
            self._note_activity()
            request = request_of(stream)
            self._cork(request.body)
            request.count_body_bytes(event.flow_controlled_length)
            super().request_data_received(event)
            return
        # The request has been answered without its body: what comes of it all the same
        # must not use up the window of all others.
        length = event.flow_controlled_length
        self.conn.acknowledge_received_data(length, event.stream_id)
        self.send_control_frames()
        self._drop_late_body(event.stream_id, length + FRAME_HEAD_BYTES)

    def writeHeaders(
        self, version: Any, code: Any, reason: Any, headers: Any, stream_id: int
    ) -> None:
        """Send the head; its client may then end a body that is shorter than said."""
        stream = self.streams.get(stream_id)
        if stream is not None and not request_of(stream).body.complete:
            ignore_content_length(self.conn, stream_id)
        super().writeHeaders(version, code, reason, headers, stream_id)

    def request_done(self, stream_id: int) -> None:
        """End a stream; see Note [Late bodies] for one that was answered early."""
        request = request_of(self.streams[stream_id])
        self._windows.forget(stream_id)
        super().request_done(stream_id)
        request.report()
        if not request.body.complete and is_open(self.conn, stream_id):
            most = 0 if request.has_large_rest() else MAX_DROPPED_BYTES
            self._late_bodies[stream_id] = most
            self._drop_late_body(stream_id, 0)
        if self._close_after_streams and not self.streams:
            self._close()

    def _drop_late_body(self, stream_id: int, size: int) -> None:
        left = self._late_bodies.pop(stream_id, None)
        if left is None:
            return
        if left > size:
            self._late_bodies[stream_id] = left - size
        else:
            self._reset(stream_id, ErrorCodes.NO_ERROR)

    def _reset(self, stream_id: int, code: ErrorCodes) -> None:
        try:
            self.conn.reset_stream(stream_id, code)
        except ProtocolError:
            return  # it has ended in another way
        self.send_control_frames()

    def priority_updated(self, event: Any) -> None:
        """Take no notice of priorities, which HTTP/2 has given up (RFC 9113, 5.3.2).

        They may name a thousand streams that there never are, and each is remembered.
        """

    def request_ended(self, event: Any) -> None:
        """Hear that a request has come whole, which may have been answered before."""
        self._late_bodies.pop(event.stream_id, None)
        if event.stream_id in self.streams:
            super().request_ended(event)

    def request_aborted(self, event: Any) -> None:
        """Hear of a reset, with what was not sent of the answer."""
        self._late_bodies.pop(event.stream_id, None)
        if event.stream_id in self.streams:
            self._count_unsent(event.stream_id)
            super().request_aborted(event)

    def _count_unsent(self, stream_id: int) -> None:
        queue = self.send_queues[stream_id]
        sizes = (len(part) for part in queue if isinstance(part, bytes))
        request_of(self.streams[stream_id]).unsent_bytes = sum(sizes)

    def send_stream_continue(self, stream_id: int) -> None:
        """Tell a client to send, once its head is read and somebody wants the body."""
        if stream_id not in self._reading_heads:
            super().send_stream_continue(stream_id)

    def wait_for_window(self, stream_id: int) -> Deferred[None]:
        """Fire when the client of a stream lets us send; never, if it ends first."""
        if self._has_window(stream_id):
            return succeed(None)
        return self._windows.wait(stream_id)

    def _has_window(self, stream_id: int) -> bool:
        return self._window(stream_id) > 0

    def _window(self, stream_id: int) -> int:
        return int(self.conn.local_flow_control_window(stream_id))

    def writeDataToStream(self, streamID: int, data: bytes) -> None:
        """Send part of an answer, as far as its client lets us."""
        for start in range(0, len(data), _FRAME_BYTES):
            super().writeDataToStream(streamID, data[start : start + _FRAME_BYTES])
        if not self._has_window(streamID):
            self._windows.mark_closed(streamID)

    def remainingOutboundWindow(self, streamID: int) -> int:
        """Say how much more may be read; see Note [What waits to be sent]."""
        if len(self.send_queues[streamID]) > 1:
            return 0
        return cast(int, super().remainingOutboundWindow(streamID))

    def send_next_frame(self, *args: Any) -> None:
        """Send a frame; see Note [Full windows] for streams that are passed over."""
        for stream_id, queue in self.send_queues.items():
            waits = queue and isinstance(queue[0], bytes)
            if waits and not self._has_window(stream_id):
                self.priority.block(stream_id)
                self._windows.mark_closed(stream_id)
        super().send_next_frame(*args)
        for stream in list(self.streams.values()):
            stream.windowUpdated()  # what has waited may have gone

    def _resume_opened_streams(self) -> None:
        """Go on with the streams that have room again."""
        if self._closing is not None:
            return
        for stream_id in self._collect_opened():
            if self.send_queues.get(stream_id):
                self.priority.unblock(stream_id)
            if stream_id in self.streams:
                self.streams[stream_id].windowUpdated()
            self.wake_sender()

    def _collect_opened(self) -> list[int]:
        """Give the streams that have room again; they wait no more."""
        found = [one for one in self._windows.streams if self._has_window(one)]
        for stream_id in found:
            self._windows.mark_opened(stream_id, self._window(stream_id))
        return found

    def window_updated(self, event: Any) -> None:
        """Hear that a client takes more."""
        self._collect_opened()
        super().window_updated(event)
        self.wake_sender()

    def _abort_stream(self, stream_id: int) -> None:
        """End a stream whose client takes nothing, or sends next to nothing."""
        self._count_unsent(stream_id)
        self._late_bodies.pop(stream_id, None)
        self.streams[stream_id].connectionLost(
            Failure(ConnectionLost("the client is too slow"))
        )
        self._reset(stream_id, ErrorCodes.CANCEL)
        if stream_id in self.streams:
            self.request_done(stream_id)
