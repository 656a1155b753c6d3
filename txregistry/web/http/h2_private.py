"""Private attributes of h2, behind functions; the only module that uses them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from h2.config import H2Configuration
from h2.connection import ConnectionInputs, H2Connection
from h2.frame_buffer import FrameBuffer
from h2.stream import H2Stream, StreamInputs

from txregistry.private_names import require_names

#: Attribute of the incomplete frame: since h2 4.3, and before.
_BUFFER = "_data" if hasattr(FrameBuffer(), "_data") else "data"

require_names(FrameBuffer(), _BUFFER, "_headers_buffer", "_preamble_len")
_probe = H2Connection(H2Configuration(client_side=False))
require_names(_probe, "incoming_buffer", "streams", "decoder")
require_names(_probe, "max_inbound_frame_size", "max_outbound_frame_size")
require_names(_probe, "state_machine", "outbound_flow_control_window")
require_names(
    H2Stream(1, _probe.config, 0, 0), "state_machine", "outbound_flow_control_window"
)
require_names(_probe.decoder, "max_header_list_size")
del _probe


def partial_frame(connection: H2Connection) -> bytes:
    """Return the received bytes of an incomplete frame."""
    found: bytes = getattr(connection.incoming_buffer, _BUFFER)
    return found


def is_in_head(connection: H2Connection) -> bool:
    """Tell whether a preface, or a header block of several frames, is incomplete."""
    buffer: Any = connection.incoming_buffer
    return bool(buffer._headers_buffer or buffer._preamble_len)


def limit_header_list(connection: H2Connection, max_bytes: int) -> None:
    """Have h2 refuse header lists that are longer than this when decoded."""
    connection.decoder.max_header_list_size = max_bytes


def ignore_content_length(connection: H2Connection, stream_id: int) -> None:
    """Accept a body that is shorter than its ``Content-Length``.

    h2 would otherwise end the whole connection with a protocol error.
    """
    stream: Any = connection.streams[stream_id]
    stream._expected_content_length = None


def data_frames(
    connection: H2Connection, stream_id: int, pieces: Sequence[bytes]
) -> bytes:
    """Return bytes to be sent: what waits to be sent, and DATA, a frame for each piece.

    State and windows are changed once for all. The caller has seen that the window of
    the stream permits them, and that each fits into a frame.
    """
    stream: Any = connection.streams[stream_id]
    connection.state_machine.process_input(ConnectionInputs.SEND_DATA)
    stream.state_machine.process_input(StreamInputs.SEND_DATA)
    size = sum(map(len, pieces))
    connection.outbound_flow_control_window -= size
    stream.outbound_flow_control_window -= size
    return b"".join((connection.data_to_send(), *_framed(stream_id, pieces)))


def _framed(stream_id: int, pieces: Sequence[bytes]) -> Iterator[bytes]:
    """Give heads and payloads of DATA (RFC 9113, 4.1 and 6.1), type 0 without flags."""
    where = b"\0\0" + stream_id.to_bytes(4, "big")
    for piece in pieces:
        yield len(piece).to_bytes(3, "big") + where
        yield piece


def is_open(connection: H2Connection, stream_id: int) -> bool:
    """Tell whether h2 has a stream open in either direction."""
    stream = connection.streams.get(stream_id)
    return stream is not None and not stream.closed
