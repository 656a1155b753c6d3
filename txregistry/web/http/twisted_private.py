"""What is private to Twisted's HTTP server, under names of ours.

Twisted promises nothing about its HTTP/2, and little about what its HTTP/1.1 keeps, and
there is no other way to begin a request early, or to limit what a connection takes. The
classes here add nothing to Twisted's: a subclass overrides ``request_received`` where
it would override ``_requestReceived``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import connectionDone
from twisted.internet.task import Clock
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
    "request_of",
    "send_continue",
]

# Most of these are only set, or overridden: nothing else tells that they have gone.
require_names(HTTPChannel, "maxHeaders", "totalHeadersSize", "MAX_LENGTH")
require_names(HTTPChannel, "abortTimeout", "timeOut", "callLater", "headerReceived")
require_names(HTTPChannel, "allHeadersReceived", "allContentReceived", "requestDone")
require_names(HTTPChannel, "rawDataReceived", "writeHeaders", "checkPersistence")
require_names(HTTPChannel, "_waitingForTransport", "_savedTimeOut")
require_names(HTTPChannel, "_respondToBadRequestAndDisconnect", "_send100Continue")
require_names(HTTPChannel(), "_handlingRequest", "_dataBuffer")
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
    """A request that tells whether its client is there."""

    @property
    def is_disconnected(self) -> bool:
        """Tell whether the connection, or the stream, has gone."""
        return bool(self._disconnected)


class OpenChannel(HTTPChannel):
    """A connection of HTTP/1.1 that can be looked into."""

    @property
    def network(self) -> Any:
        """Give what is paused and resumed to read less and more."""
        return self._networkProducer

    @property
    def is_answering(self) -> bool:
        """Tell whether a request has come whole, and its answer has not ended."""
        return bool(self._handlingRequest)

    @property
    def is_backed_up(self) -> bool:
        """Tell whether the client takes too little of what was sent to it."""
        return bool(self._waitingForTransport)

    @property
    def request_line(self) -> tuple[bytes, bytes, bytes]:
        """Give method, path and version of the request whose head is read."""
        return self._command, self._path, self._version

    def take_pipelined(self) -> bytes:
        """Take away what has come after a request that is being answered."""
        came, self._dataBuffer = b"".join(self._dataBuffer), []
        return came

    def resume_timeout(self) -> None:
        """Count again the time in which a client has to send something."""
        self.setTimeout(self._savedTimeOut)

    def refuse(self) -> None:
        """Answer 400, and close."""
        self._respondToBadRequestAndDisconnect()


class OpenH2Connection(H2Connection):
    """A connection of HTTP/2 whose events can be handled in another way."""

    @property
    def is_backed_up(self) -> bool:
        """Tell whether the client takes too little of what was sent to it."""
        return self._consumerBlocked is not None

    @property
    def send_queues(self) -> Mapping[int, Any]:
        """Give by stream what waits to be sent: bytes, and a mark for the end.

        An open stream has one, that may be empty.
        """
        queues: Mapping[int, Any] = self._outboundStreamQueues
        return queues

    def stop_sending(self) -> None:
        """Send no more of any answer."""
        self._stillProducing = False

    def send_control_frames(self) -> bool:
        """Send what h2 has to say; tell whether the connection has outlived it."""
        return bool(self._tryToWriteControlData())

    def wake_sender(self) -> None:
        """Have the sending loop look again, if it waits for a stream with room."""
        waiting: Deferred[Any] | None
        waiting, self._sendingDeferred = self._sendingDeferred, None
        if waiting is not None:
            waiting.callback(None)

    def connectionLost(
        self, reason: Failure = connectionDone, _cancelTimeouts: bool = True
    ) -> None:
        """Hear of the end; see :meth:`connection_lost`."""
        self.connection_lost(reason, is_gone=_cancelTimeouts)

    def connection_lost(self, reason: Failure, is_gone: bool) -> None:
        """End all requests.

        :param is_gone: the connection is there no more. Otherwise Twisted has begun to
            close it, and leaves the rest to timers.
        """
        super().connectionLost(reason, _cancelTimeouts=is_gone)

    def _requestReceived(self, event: Any) -> None:
        self.request_received(event)

    def request_received(self, event: Any) -> None:
        """Take the head of a request, and make its stream."""
        super()._requestReceived(event)

    def _requestDataReceived(self, event: Any) -> None:
        self.request_data_received(event)

    def request_data_received(self, event: Any) -> None:
        """Take part of the body of a request that has a stream."""
        super()._requestDataReceived(event)

    def _requestEnded(self, event: Any) -> None:
        self.request_ended(event)

    def request_ended(self, event: Any) -> None:
        """Hear that a request has come whole."""
        super()._requestEnded(event)

    def _requestAborted(self, event: Any) -> None:
        self.request_aborted(event)

    def request_aborted(self, event: Any) -> None:
        """Hear that a client has reset a stream."""
        super()._requestAborted(event)

    def _requestDone(self, streamID: int) -> None:
        self.request_done(streamID)

    def request_done(self, stream_id: int) -> None:
        """Forget a stream whose answer was sent, or which has been aborted."""
        super()._requestDone(stream_id)

    def _handlePriorityUpdate(self, event: Any) -> None:
        self.priority_updated(event)

    def priority_updated(self, event: Any) -> None:
        """Hear how important a client holds a stream."""
        super()._handlePriorityUpdate(event)

    def _handleWindowUpdate(self, event: Any) -> None:
        self.window_updated(event)

    def window_updated(self, event: Any) -> None:
        """Hear that a client takes more, of a stream or of all."""
        super()._handleWindowUpdate(event)

    def _send100Continue(self, streamID: int) -> None:
        self.send_stream_continue(streamID)

    def send_stream_continue(self, stream_id: int) -> None:
        """Tell a client to send the body that it has announced."""
        super()._send100Continue(stream_id)

    def _sendPrioritisedData(self, *args: Any) -> None:
        self.send_next_frame(*args)

    def send_next_frame(self, *args: Any) -> None:
        """Send a frame of an answer, and come back for the next one."""
        super()._sendPrioritisedData(*args)


def request_of(stream: H2Stream) -> Any:
    """Give the request that a stream is for."""
    return stream._request


def connection_of(channel: Any) -> Any:
    """Give the connection that a request's channel is, or is a stream of."""
    return channel._conn if isinstance(channel, H2Stream) else channel


def send_continue(channel: Any) -> None:
    """Tell the client of a connection, or of a stream, to send a body."""
    channel._send100Continue()
