"""Limits on HTTP/2 frames that are incomplete, or many in one read."""

from __future__ import annotations

import attrs
from h2.connection import H2Connection

from txregistry.web.http.h2_private import is_in_head, partial_frame

#: Bytes of a frame's header (RFC 9113, 4.1).
FRAME_HEAD_BYTES = 9

#: Bytes of its first field, the length of the payload.
_LENGTH_FIELD_BYTES = 3

#: Frames processed in one reactor turn: each may take a tenth of a millisecond.
MAX_FRAMES_PER_TURN = 128

#: Bytes processed per turn of an expensive read; first bytes of a connection that are
#: always processed that way.
STEP_BYTES, _FIRST_BYTES = 2048, 64 * 1024

#: Offset of the type in a frame's header, and the type of DATA.
_TYPE_AT, _DATA = 3, 0


@attrs.define(eq=False)
class ExpensiveReads:
    """Tells which reads contain too many frames to process in one reactor turn.

    The first reads of a connection always do: a client can split the preface anywhere,
    so frames cannot be found in them.
    """

    _connection: H2Connection
    _received: int = 0

    def is_expensive(self, data: bytes) -> bool:
        """Tell whether a read has to be processed in steps; call for each read."""
        is_first = self._received < _FIRST_BYTES
        self._received += len(data)
        return is_first or has_many_frames(partial_frame(self._connection) + data)


def has_many_frames(found: bytes) -> bool:
    """Tell whether there are more than :data:`MAX_FRAMES_PER_TURN` frames."""
    position = 0
    for _ in range(MAX_FRAMES_PER_TURN):
        if position + FRAME_HEAD_BYTES > len(found):
            return False
        length = int.from_bytes(found[position : position + _LENGTH_FIELD_BYTES], "big")
        position += FRAME_HEAD_BYTES + length
    return position < len(found)


@attrs.define
class HeadTimer:
    """Time since an incomplete preface, header block or other frame has begun.

    DATA frames are not timed here: ``pace`` measures the rate of bodies.
    """

    _connection: H2Connection
    _began_at: float | None = None
    _length: int = 0

    def elapsed(self, taken: int, now: float) -> float:
        """Return the seconds since the current incomplete frame began; 0 if none.

        :param taken: bytes that were just processed.
        """
        length, before = len(partial_frame(self._connection)), self._length
        self._length = length
        in_block = is_in_head(self._connection)
        if not in_block and not self._is_not_data():
            self._began_at = None
            return 0.0
        goes_on = in_block or length == before + taken
        if self._began_at is None or not goes_on:
            self._began_at = now
        return now - self._began_at

    def _is_not_data(self) -> bool:
        there = partial_frame(self._connection)
        if len(there) <= _TYPE_AT:
            return bool(there)
        return there[_TYPE_AT] != _DATA
