"""How long the head of an upstream's answer may be, and how its body is taken apart.

Note [Chunks of one byte]. A megabyte of them is 170,000 pieces, and to pass each on
held all others for seconds. What one read brings is passed on in one piece; and as to
find where chunks begin takes its time as well, less is read at once where they are
small.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from txregistry.remote.twisted_private import (
    AnswerParser,
    ChunkedDecoder,
    ParseError,
    parse_answers_with,
)

#: Bytes of one line. Twisted takes 16 KiB, and some gateways send policies and cookies
#: that are longer.
MAX_LINE_BYTES = 64 * 1024

#: Bytes and lines of one head, with all that is sent before it in vain (1xx).
MAX_HEAD_BYTES = 128 * 1024
MAX_HEAD_LINES = 1000

#: What is read at once of a body whose length is announced. Each piece costs a turn of
#: the reactor and a job on a thread: with Twisted's 64 KiB a blob takes twice as long,
#: and twice the CPU.
READ_BYTES = 1024 * 1024

#: What is read at once of chunks, and of anything else.
CHUNKS_READ_BYTES = 256 * 1024
SMALL_READ_BYTES = 64 * 1024

#: More chunks of one read than this are small ones.
_MANY_CHUNKS = 1024


class JoinedChunks(ChunkedDecoder):
    """Takes chunks apart, and gives what one read brings as one piece.

    :ivar chunk_count: how many chunks the last read brought.
    """

    def __init__(
        self, on_data: Callable[[bytes], None], on_end: Callable[[bytes], None]
    ) -> None:
        self._parts: list[bytes] = []
        self._on_data, self._on_end = on_data, on_end
        self.chunk_count = 0
        super().__init__(self._parts.append, self._end)

    def dataReceived(self, data: bytes) -> None:
        """Take what one read brings."""
        super().dataReceived(data)
        self._flush()

    def _end(self, rest: bytes) -> None:
        self._flush()
        self._on_end(rest)

    def _flush(self) -> None:
        self.chunk_count = len(self._parts)
        joined = b"".join(self._parts)
        self._parts.clear()
        if joined:
            self._on_data(joined)


class CappedParser(AnswerParser):
    """A parser that gives a head up which goes on: Twisted's has no end.

    It also says how much is read at once; see Note [Chunks of one byte].
    """

    MAX_LENGTH = MAX_LINE_BYTES
    _bytes = 0
    _lines = 0

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.decode_chunks_with(JoinedChunks)

    def lineReceived(self, line: bytes) -> None:
        """Count a line, and read it if it is not one too many."""
        self._bytes += len(line) + 2
        self._lines += 1
        if self._bytes > MAX_HEAD_BYTES or self._lines > MAX_HEAD_LINES:
            raise ParseError("head too long", b"")
        super().lineReceived(line)

    def connectionMade(self) -> None:
        """Begin with a head."""
        super().connectionMade()
        self.read_at_once(SMALL_READ_BYTES)

    def switchToBodyMode(self, decoder: Any) -> None:
        """Go on with a body."""
        super().switchToBodyMode(decoder)
        is_chunked = isinstance(decoder, JoinedChunks)
        self.read_at_once(CHUNKS_READ_BYTES if is_chunked else READ_BYTES)

    def rawDataReceived(self, data: bytes) -> None:
        """Take part of a body, and read less at once if its chunks are small."""
        decoder = self.bodyDecoder
        super().rawDataReceived(data)
        if isinstance(decoder, JoinedChunks):
            is_small = decoder.chunk_count > _MANY_CHUNKS
            self.read_at_once(SMALL_READ_BYTES if is_small else CHUNKS_READ_BYTES)


def install_parser() -> None:
    """Let every client of this process take lines and heads as long as said above."""
    parse_answers_with(CappedParser)
