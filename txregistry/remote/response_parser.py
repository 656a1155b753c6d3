"""The parser of responses: limits for the head, and efficient reads of the body.

Note [Chunks of one byte]. A megabyte of such chunks is 170,000 pieces; passing on each
by itself blocked the reactor for seconds. So all chunks of one read are passed on as
one piece. Finding the boundaries takes time as well, so reads are smaller while chunks
are small.
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

#: Longest header line in bytes. Twisted's limit is 16 KiB, and some gateways send
#: longer policies and cookies.
MAX_LINE_BYTES = 64 * 1024

#: Bytes and lines of one head, including those of 1xx responses before it.
MAX_HEAD_BYTES = 128 * 1024
MAX_HEAD_LINES = 1000

#: Bytes per read of a body with ``Content-Length``. Each read costs a turn of the
#: reactor and a job on a thread: with Twisted's 64 KiB, a blob takes twice the time and
#: twice the CPU.
READ_BYTES = 1024 * 1024

#: Bytes per read of a chunked body; and of a head, or a body of small chunks.
CHUNKS_READ_BYTES = 256 * 1024
SMALL_READ_BYTES = 64 * 1024

#: Chunks per read above which chunks count as small.
_MANY_CHUNKS = 1024


class JoinedChunks(ChunkedDecoder):
    """Decodes a chunked body; passes on the data of each read as one piece.

    :ivar chunk_count: the number of chunks in the last read.
    """

    def __init__(
        self, on_data: Callable[[bytes], None], on_end: Callable[[bytes], None]
    ) -> None:
        self._parts: list[bytes] = []
        self._on_data, self._on_end = on_data, on_end
        self.chunk_count = 0
        super().__init__(self._parts.append, self._end)

    def dataReceived(self, data: bytes) -> None:
        """Decode the bytes of one read."""
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
    """A parser that limits the size of a head, as Twisted's does not.

    It also sets the size of reads; see Note [Chunks of one byte].
    """

    MAX_LENGTH = MAX_LINE_BYTES
    _bytes = 0
    _lines = 0

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.decode_chunks_with(JoinedChunks)

    def lineReceived(self, line: bytes) -> None:
        """Parse a line of the head.

        :raise ParseError: the head is too long.
        """
        self._bytes += len(line) + 2
        self._lines += 1
        if self._bytes > MAX_HEAD_BYTES or self._lines > MAX_HEAD_LINES:
            raise ParseError("head too long", b"")
        super().lineReceived(line)

    def connectionMade(self) -> None:
        """Prepare for the head."""
        super().connectionMade()
        self.read_at_once(SMALL_READ_BYTES)

    def switchToBodyMode(self, decoder: Any) -> None:
        """Prepare for the body."""
        super().switchToBodyMode(decoder)
        is_chunked = isinstance(decoder, JoinedChunks)
        self.read_at_once(CHUNKS_READ_BYTES if is_chunked else READ_BYTES)

    def rawDataReceived(self, data: bytes) -> None:
        """Parse a part of the body; adjust the size of reads."""
        decoder = self.bodyDecoder
        super().rawDataReceived(data)
        if isinstance(decoder, JoinedChunks):
            is_small = decoder.chunk_count > _MANY_CHUNKS
            self.read_at_once(SMALL_READ_BYTES if is_small else CHUNKS_READ_BYTES)


def install_parser() -> None:
    """Make all HTTP clients of this process use :class:`CappedParser`."""
    parse_answers_with(CappedParser)
