"""What h2 tells nobody about a connection, under names of ours."""

from __future__ import annotations

from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.frame_buffer import FrameBuffer

from txregistry.flow.private_names import require_names

#: Where h2 keeps a frame that has begun: since 4.3, and before.
_BUFFER = "_data" if hasattr(FrameBuffer(), "_data") else "data"

require_names(FrameBuffer(), _BUFFER, "_headers_buffer", "_preamble_len")
_probe = H2Connection(H2Configuration(client_side=False))
require_names(_probe, "incoming_buffer", "streams", "decoder")
require_names(_probe, "max_inbound_frame_size")
require_names(_probe.decoder, "max_header_list_size")
del _probe


def partial_frame(connection: H2Connection) -> bytes:
    """Give the part of a frame that has come."""
    found: bytes = getattr(connection.incoming_buffer, _BUFFER)
    return found


def is_in_head(connection: H2Connection) -> bool:
    """Tell whether a preface, or a head of several frames, has begun and not ended."""
    buffer: Any = connection.incoming_buffer
    return bool(buffer._headers_buffer or buffer._preamble_len)


def limit_header_list(connection: H2Connection, max_bytes: int) -> None:
    """Have h2 refuse a head that is longer, when all is decoded."""
    connection.decoder.max_header_list_size = max_bytes


def ignore_content_length(connection: H2Connection, stream_id: int) -> None:
    """Let a body be shorter than its client has announced.

    h2 would take that for a reason to end the whole connection.
    """
    stream: Any = connection.streams[stream_id]
    stream._expected_content_length = None


def is_open(connection: H2Connection, stream_id: int) -> bool:
    """Tell whether a stream goes on for h2, in either direction."""
    stream = connection.streams.get(stream_id)
    return stream is not None and not stream.closed
