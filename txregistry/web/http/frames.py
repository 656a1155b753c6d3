"""What a connection of HTTP/2 has begun to say, as h2 keeps it until it is whole."""

from __future__ import annotations

import attrs
from h2.connection import H2Connection

from txregistry.web.http.h2_private import is_in_head, partial_frame

#: What each frame begins with (RFC 9113, 4.1).
FRAME_HEAD_BYTES = 9

#: Of these, what stands first and says how long the rest is.
_LENGTH_FIELD_BYTES = 3

#: Frames that are taken in one turn: each may cost a tenth of a millisecond.
MAX_FRAMES_PER_TURN = 128

#: Taken in one turn of what is slow, and how much of a connection is taken for that.
STEP_BYTES, _FIRST_BYTES = 2048, 64 * 1024

#: Where in it the type stands, and the type of DATA.
_TYPE_AT, _DATA = 3, 0


@attrs.define(eq=False)
class ExpensiveReads:
    """Tells of what one read brings whether it would hold a turn for long.

    All that comes first is taken for slow: it begins in the middle of the preface, if
    a client likes, and what are frames in it cannot be told.
    """

    _connection: H2Connection
    _received: int = 0

    def is_expensive(self, data: bytes) -> bool:
        """Tell whether it is to be taken in steps."""
        is_first = self._received < _FIRST_BYTES
        self._received += len(data)
        return is_first or has_many_frames(partial_frame(self._connection) + data)


def has_many_frames(found: bytes) -> bool:
    """Tell whether these are more frames than belong into one turn."""
    position = 0
    for _ in range(MAX_FRAMES_PER_TURN):
        if position + FRAME_HEAD_BYTES > len(found):
            return False
        length = int.from_bytes(found[position : position + _LENGTH_FIELD_BYTES], "big")
        position += FRAME_HEAD_BYTES + length
    return position < len(found)


@attrs.define
class HeadTimer:
    """How long what is no body has been on its way: a preface, a head, another frame.

    Frames of a body have a clock of their own, by how fast it comes.
    """

    _connection: H2Connection
    _began_at: float | None = None
    _length: int = 0

    def elapsed(self, taken: int, now: float) -> float:
        """Say for how long one has been begun and is not whole.

        :param taken: how many bytes have just been taken.
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
