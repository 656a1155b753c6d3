"""Bodies of HTTP/2 in frames: how long each is, and how many go at once (pure)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

#: Bytes of bodies that clients may send before we take them: of each stream, and of all
#: streams of a connection, which so is all that waits in memory.
WINDOW_BYTES = 256 * 1024

#: Bytes of a frame's payload, if the client accepts that many, and of all frames of a
#: stream that are sent at once.
_FRAME_BYTES, _AT_ONCE_BYTES = 64 * 1024, 256 * 1024


def in_pieces(data: bytes, longest: int) -> Iterator[bytes]:
    """Split bytes into the payloads of frames.

    :param longest: bytes of a payload that the client accepts.
    """
    size = min(_FRAME_BYTES, longest)
    for start in range(0, len(data), size):
        yield data[start : start + size]


def take_pieces(queue: deque[Any], window: int, longest: int) -> list[bytes]:
    """Remove payloads from the front of a queue, to be sent at once.

    The last item stays: it may be a marker, or be followed by one.

    :param window: bytes that may be sent.
    :param longest: bytes of a payload that the client accepts now.
    """
    pieces: list[bytes] = []
    left = min(window, _AT_ONCE_BYTES)
    while len(queue) > 1 and len(queue[0]) <= min(left, longest):
        pieces.append(queue.popleft())
        left -= len(pieces[-1])
    return pieces


def in_turns(streams: Iterable[int], served: int) -> list[int]:
    """Return the ids of streams, beginning after the one that was served last."""
    found = sorted(streams)
    return [x for x in found if x > served] + [x for x in found if x <= served]
