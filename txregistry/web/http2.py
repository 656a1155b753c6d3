"""HTTP/2 connections: Twisted's, with requests that begin early, and with our limits.

The class is private to Twisted for want of a promise; its own site uses the same hooks.

Note [Full windows]. Twisted's sending loop turns for ever while a stream has something
to send and its client takes nothing. Such a stream is set aside here until its window
opens, and the loop is then started again if it had stopped.
"""

from __future__ import annotations

from typing import Any, cast

from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes
from twisted.internet.interfaces import ITCPTransport
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web._http2 import H2Connection

from txregistry.web.channels import Home


class RegistryH2Connection(H2Connection):
    """An HTTP/2 connection that begins requests when their head is in."""

    def connectionMade(self) -> None:
        """Remember the connection for draining, and say how long a head may be."""
        self._home = cast(Home, self.factory)
        self._reading_heads: set[int] = set()
        super().connectionMade()
        limit = self._home.limits.header_bytes
        self.conn.decoder.max_header_list_size = limit
        self.conn.update_settings({SettingCodes.MAX_HEADER_LIST_SIZE: limit})
        self._tryToWriteControlData()
        self._home.channels.add(self)

    def connectionLost(
        self, reason: Failure = connectionDone, _cancelTimeouts: bool = True
    ) -> None:
        """Forget the connection."""
        self._home.channels.discard(self)
        # A request that ends takes its stream out, and the others are still to be told.
        self.streams = dict(self.streams)
        super().connectionLost(reason, _cancelTimeouts)

    def loseConnection(self) -> None:
        """Close the connection."""
        cast(ITCPTransport, self.transport).loseConnection()

    def _requestReceived(self, event: Any) -> None:
        self._reading_heads.add(event.stream_id)
        super()._requestReceived(event)
        self._reading_heads.discard(event.stream_id)
        stream = self.streams[event.stream_id]
        request = stream._request
        if request.body.announced != 0 and event.stream_ended is None:
            request.begin(stream.command, stream.path, b"HTTP/2")

    def _requestDataReceived(self, event: Any) -> None:
        if event.stream_id in self.streams:
            super()._requestDataReceived(event)
            return
        # The request has been answered without its body: the client may stop, and what
        # it sent meanwhile must not use up the window of all others.
        length = event.flow_controlled_length
        self.conn.acknowledge_received_data(length, event.stream_id)
        self._tryToWriteControlData()

    def writeHeaders(
        self, version: Any, code: Any, reason: Any, headers: Any, stream_id: int
    ) -> None:
        """Send the head of an answer.

        A client that is refused may end its body at once, shorter than it announced;
        h2 would take that for a reason to end the whole connection.
        """
        stream = self.streams.get(stream_id)
        if stream is not None and not stream._request.body.complete:
            self.conn.streams[stream_id]._expected_content_length = None
        super().writeHeaders(version, code, reason, headers, stream_id)

    def _requestDone(self, stream_id: int) -> None:
        """End a stream; one that was answered early is closed to its client as well.

        RFC 9113, 8.1: after a whole answer, without an error.
        """
        early = not self.streams[stream_id]._request.body.complete
        super()._requestDone(stream_id)
        if early:
            try:
                self.conn.reset_stream(stream_id, ErrorCodes.NO_ERROR)
            except ProtocolError:
                return  # it has ended in another way
            self._tryToWriteControlData()

    def _requestEnded(self, event: Any) -> None:
        if event.stream_id in self.streams:
            super()._requestEnded(event)

    def _requestAborted(self, event: Any) -> None:
        if event.stream_id in self.streams:
            super()._requestAborted(event)

    def _send100Continue(self, stream_id: int) -> None:
        # Not while the head is being read: whoever reads the body says so.
        if stream_id not in self._reading_heads:
            super()._send100Continue(stream_id)

    def _sendPrioritisedData(self, *args: Any) -> None:
        for stream_id, queue in self._outboundStreamQueues.items():
            waits = queue and isinstance(queue[0], bytes)
            if waits and self.conn.local_flow_control_window(stream_id) <= 0:
                self.priority.block(stream_id)
        super()._sendPrioritisedData(*args)

    def _handleWindowUpdate(self, event: Any) -> None:
        super()._handleWindowUpdate(event)
        waiting, self._sendingDeferred = self._sendingDeferred, None
        if waiting is not None:
            waiting.callback(None)
