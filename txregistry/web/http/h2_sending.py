"""The sending half of an HTTP/2 connection: frames, windows and turns.

Note [Full windows]. Twisted's sending loop spins while a stream has data to send and
its window is closed. Here such a stream is blocked until its window opens, and the loop
is woken then. The stream is aborted if its window stays closed for ``stall_seconds``.
Nothing is read ahead for it, and a request that arrives meanwhile opens nothing.

Note [What waits to be sent]. Twisted asks a producer for data until the window is full,
which may be 2 GiB, even if the connection accepts none. Here a producer is resumed when
less than a frame is queued. Data is split into frames once: Twisted would copy the rest
for each frame, and send one frame in a turn of the reactor. Here many go in one write.
"""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import ITransport

from txregistry.web.http.connections import SiteContext
from txregistry.web.http.h2_private import data_frames
from txregistry.web.http.lingering_close import Closing
from txregistry.web.http.pieces import in_pieces, in_turns, take_pieces
from txregistry.web.http.twisted_private import OpenH2Connection
from txregistry.web.http.windows import ClosedWindows


class SendingConnection(OpenH2Connection):
    """An HTTP/2 connection that sends the bodies of answers.

    :ivar _site: what it belongs to; set when it is made, like :attr:`_windows`.
    :ivar _windows: the streams whose windows are closed.
    :ivar _closing: how it closes; ``None`` until then.
    :ivar _is_receiving: bytes of the client are being processed.
    :ivar _served: the stream whose frames were sent last.
    """

    _site: SiteContext
    _windows: ClosedWindows
    _closing: Closing | None = None
    _is_receiving = False
    _served = 0

    def wait_for_window(self, stream_id: int) -> Deferred[None]:
        """Fire when the window of a stream is open; never, if the stream ends first."""
        return self._windows.wait(stream_id)

    def _window(self, stream_id: int) -> int:
        return int(self.conn.local_flow_control_window(stream_id))

    def writeDataToStream(self, streamID: int, data: bytes) -> None:
        """Queue bytes of an answer in frames; sent as the window permits."""
        for piece in in_pieces(data, self.conn.max_outbound_frame_size):
            super().writeDataToStream(streamID, piece)
        if self._window(streamID) <= 0:
            self._windows.mark_closed(streamID)

    def remainingOutboundWindow(self, streamID: int) -> int:
        """Return how much a producer may write; see Note [What waits to be sent]."""
        if len(self.send_queues[streamID]) > 1:
            return 0
        return cast(int, super().remainingOutboundWindow(streamID))

    def send_next_frame(self, *args: Any) -> None:
        """Send frames of streams that have a window; see Note [Full windows].

        Not while bytes are processed: h2 knows at once of all that they say, and has
        closed streams whose reset is still to be told.
        """
        if self._is_receiving:
            self._site.clock.callLater(0, self.send_next_frame)
            return
        for stream_id, queue in self.send_queues.items():
            waits = queue and isinstance(queue[0], bytes)
            if waits and self._window(stream_id) <= 0:
                self.priority.block(stream_id)
                self._windows.mark_closed(stream_id)
        # First, as it takes the streams in turns, and ends them.
        super().send_next_frame(*args)
        self._send_frames()
        for stream in list(self.streams.values()):
            stream.windowUpdated()  # resumes its producer if the queue is short

    def _send_frames(self) -> None:
        """Send frames of each stream, but for the last one, which Twisted sends.

        The one whose frames filled the connection is the last to be served again.
        """
        order = in_turns(self.send_queues, self._served)
        for stream_id in order:
            if self.is_backed_up or not self.is_sending:
                return
            queue, self._served = self.send_queues[stream_id], stream_id
            pieces = take_pieces(
                queue, self._window(stream_id), self.conn.max_outbound_frame_size
            )
            if pieces:
                frames = data_frames(self.conn, stream_id, pieces)
                cast(ITransport, self.transport).write(frames)

    def _resume_opened_streams(self) -> None:
        """Resume the streams whose windows have opened."""
        if self._closing is not None:
            return
        for stream_id in self._windows.collect_opened():
            if self.send_queues.get(stream_id):
                self.priority.unblock(stream_id)
            if stream_id in self.streams:
                self.streams[stream_id].windowUpdated()
            self.wake_sender()

    def window_updated(self, event: Any) -> None:
        """Process a window update of a stream or of the connection."""
        self._windows.collect_opened()
        super().window_updated(event)
        self.wake_sender()
