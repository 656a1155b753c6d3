"""Private names of Twisted's HTTP server, behind public ones; used nowhere else.

Starting requests early and limiting connections has no public interface: all of
Twisted's HTTP/2 is private. The classes here only rename: a subclass overrides
``request_received`` where it would override ``_requestReceived``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import connectionDone
from twisted.internet.task import Clock
from twisted.internet.tcp import Connection
from twisted.python.failure import Failure
from twisted.web._http2 import H2Connection, H2Stream
from twisted.web.http import HTTPChannel
from twisted.web.server import Request

from txregistry.private_names import require_names

__all__ = [
    "H2Stream",
    "OpenChannel",
    "OpenH2Connection",
    "OpenRequest",
    "connection_of",
    "count_unsent",
    "is_plain_tcp",
    "request_of",
    "send_continue",
    "unsent_bytes",
]

# Most of these are only set or overridden, so that nothing else fails when they go.
require_names(HTTPChannel, "maxHeaders", "totalHeadersSize", "MAX_LENGTH")
require_names(HTTPChannel, "abortTimeout", "timeOut", "callLater", "headerReceived")
require_names(HTTPChannel, "allHeadersReceived", "allContentReceived", "requestDone")
require_names(HTTPChannel, "rawDataReceived", "writeHeaders", "checkPersistence")
require_names(HTTPChannel, "_waitingForTransport", "_savedTimeOut")
require_names(HTTPChannel, "_respondToBadRequestAndDisconnect", "_send100Continue")
require_names(HTTPChannel(), "_handlingRequest", "_dataBuffer")
require_names(HTTPChannel(), "_buffer", "requests")
require_names(Connection, "TLS")
require_names(FileDescriptor(), "dataBuffer", "offset", "_tempDataLen")
require_names(Request, "gotLength", "handleContentChunk", "requestReceived")
require_names(Request, "process", "parseCookies", "_disconnected")
require_names(H2Stream, "_send100Continue")
require_names(H2Connection, "abortTimeout", "timeOut", "resetTimeout")
require_names(H2Connection, "timeoutConnection", "writeHeaders", "writeDataToStream")
require_names(H2Connection, "remainingOutboundWindow", "_tryToWriteControlData")
require_names(H2Connection, "_requestReceived", "_requestDataReceived")
require_names(H2Connection, "_requestEnded", "_requestAborted", "_requestDone")
require_names(H2Connection, "_handlePriorityUpdate", "_handleWindowUpdate")
require_names(H2Connection, "_send100Continue", "_sendPrioritisedData")
require_names(H2Connection(Clock()), "_outboundStreamQueues", "_stillProducing")
require_names(H2Connection(Clock()), "_consumerBlocked", "_sendingDeferred")


class OpenRequest(Request):
    """A request that tells whether its client is connected."""

    @property
    def is_disconnected(self) -> bool:
        """Tell whether the connection or the stream is closed."""
        return bool(self._disconnected)


class OpenChannel(HTTPChannel):
    """An HTTP/1.1 connection with its state exposed."""

    @property
    def network(self) -> Any:
        """Return the producer that pauses and resumes reading."""
        return self._networkProducer

    @property
    def is_answering(self) -> bool:
        """Tell whether a request is complete and its answer is not."""
        return bool(self._handlingRequest)

    @property
    def is_backed_up(self) -> bool:
        """Tell whether the transport's write buffer is full."""
        return bool(self._waitingForTransport)

    @property
    def is_at_rest(self) -> bool:
        """Tell whether nothing was received or is sent that belongs to a request."""
        return not (self.requests or self._buffer or self._waitingForTransport)

    @property
    def request_line(self) -> tuple[bytes, bytes, bytes]:
        """Return method, path and version of the request that is being read."""
        return self._command, self._path, self._version

    def take_pipelined(self) -> bytes:
        """Remove and return the bytes received after the current request."""
        came, self._dataBuffer = b"".join(self._dataBuffer), []
        return came

    def resume_timeout(self) -> None:
        """Restart the idle timeout that is suspended during an answer."""
        self.setTimeout(self._savedTimeOut)

    def refuse(self) -> None:
        """Answer 400 and close the connection."""
        self._respondToBadRequestAndDisconnect()


class OpenH2Connection(H2Connection):
    """An HTTP/2 connection with public hooks for its events."""

    @property
    def is_backed_up(self) -> bool:
        """Tell whether the transport's write buffer is full."""
        return self._consumerBlocked is not None

    @property
    def send_queues(self) -> Mapping[int, Any]:
        """Return the queue of each open stream: bytes, and a marker for the end."""
        queues: Mapping[int, Any] = self._outboundStreamQueues
        return queues

    @property
    def is_sending(self) -> bool:
        """Tell whether the sending loop has not stopped."""
        return bool(self._stillProducing)

    def stop_sending(self) -> None:
        """Stop the sending loop."""
        self._stillProducing = False

    def send_control_frames(self) -> bool:
        """Send h2's pending frames; ``False`` if the connection was closed for it."""
        return bool(self._tryToWriteControlData())

    def wake_sender(self) -> None:
        """Wake the sending loop, if it waits for a stream that can send."""
        waiting: Deferred[Any] | None
        waiting, self._sendingDeferred = self._sendingDeferred, None
        if waiting is not None:
            waiting.callback(None)

    def connectionLost(
        self, reason: Failure = connectionDone, _cancelTimeouts: bool = True
    ) -> None:
        """Call :meth:`connection_lost`."""
        self.connection_lost(reason, is_gone=_cancelTimeouts)

    def connection_lost(self, reason: Failure, is_gone: bool) -> None:
        """End all requests.

        :param is_gone: the connection is closed. Otherwise Twisted has begun to close
            it, and relies on its timers for the rest.
        """
        super().connectionLost(reason, _cancelTimeouts=is_gone)

    def _requestReceived(self, event: Any) -> None:
        self.request_received(event)

    def request_received(self, event: Any) -> None:
        """Process the head of a request: create its stream."""
        super()._requestReceived(event)

    def _requestDataReceived(self, event: Any) -> None:
        self.request_data_received(event)

    def request_data_received(self, event: Any) -> None:
        """Process DATA of a stream."""
        super()._requestDataReceived(event)

    def _requestEnded(self, event: Any) -> None:
        self.request_ended(event)

    def request_ended(self, event: Any) -> None:
        """Process the end of a request's body."""
        super()._requestEnded(event)

    def _requestAborted(self, event: Any) -> None:
        self.request_aborted(event)

    def request_aborted(self, event: Any) -> None:
        """Process a reset of a stream by the client."""
        super()._requestAborted(event)

    def _requestDone(self, streamID: int) -> None:
        self.request_done(streamID)

    def request_done(self, stream_id: int) -> None:
        """Forget a stream whose answer was sent, or that was aborted."""
        super()._requestDone(stream_id)

    def _handlePriorityUpdate(self, event: Any) -> None:
        self.priority_updated(event)

    def priority_updated(self, event: Any) -> None:
        """Process a stream's priority."""
        super()._handlePriorityUpdate(event)

    def _handleWindowUpdate(self, event: Any) -> None:
        self.window_updated(event)

    def window_updated(self, event: Any) -> None:
        """Process a window update of a stream or of the connection."""
        super()._handleWindowUpdate(event)

    def _send100Continue(self, streamID: int) -> None:
        self.send_stream_continue(streamID)

    def send_stream_continue(self, stream_id: int) -> None:
        """Send 100 Continue on a stream."""
        super()._send100Continue(stream_id)

    def _sendPrioritisedData(self, *args: Any) -> None:
        self.send_next_frame(*args)

    def send_next_frame(self, *args: Any) -> None:
        """Send a frame of an answer, and schedule the next one."""
        super()._sendPrioritisedData(*args)


def request_of(stream: H2Stream) -> Any:
    """Return the request of a stream."""
    return stream._request


def connection_of(channel: Any) -> Any:
    """Return the connection of a request's channel, which may be a stream."""
    return channel._conn if isinstance(channel, H2Stream) else channel


def send_continue(channel: Any) -> None:
    """Send 100 Continue on a connection or a stream."""
    channel._send100Continue()


def is_plain_tcp(transport: Any) -> bool:
    """Tell whether bytes go as they are given, and to a TCP socket."""
    return isinstance(transport, Connection) and not transport.TLS


def unsent_bytes(transport: FileDescriptor) -> int:
    """Count the bytes that a transport was given, and the kernel has not taken."""
    waiting: Any = transport
    return int(len(waiting.dataBuffer) - waiting.offset + waiting._tempDataLen)


def count_unsent(transport: Any) -> int:
    """Count the bytes that a transport was given, and the kernel has not taken.

    Where they are coded on their way it cannot be told, and counts as none.
    """
    return unsent_bytes(transport) if is_plain_tcp(transport) else 0
