"""Private names of Twisted's HTTP client that this room uses.

There is no public way to limit the head of a response or to replace the decoder of its
body.
"""

from __future__ import annotations

from typing import Any

from twisted.web import _newclient
from twisted.web._newclient import (
    HTTPClientParser,
    ParseError,
    TransportProxyProducer,
)
from twisted.web.http import _ChunkedTransferDecoder as ChunkedDecoder

from txregistry.private_names import require_names
from txregistry.speed import tls

__all__ = [
    "AnswerParser",
    "ChunkedDecoder",
    "ParseError",
    "parse_answers_with",
    "read_at_once",
]

require_names(HTTPClientParser, "MAX_LENGTH", "lineReceived", "rawDataReceived")
require_names(HTTPClientParser, "switchToBodyMode", "_transferDecoders")
require_names(ChunkedDecoder, "dataReceived")
require_names(TransportProxyProducer(None), "_producer")


def read_at_once(transport: Any, size: int) -> None:
    """Set the bytes per read of the socket under the transport of a response.

    Does nothing if the response was cancelled.
    """
    if isinstance(transport, TransportProxyProducer):
        transport = transport._producer
    tls.read_at_once(transport, size)


class AnswerParser(HTTPClientParser):
    """Parses one response, with settings that Twisted's parser lacks."""

    def decode_chunks_with(self, decoder: type[ChunkedDecoder]) -> None:
        """Decode chunked bodies by another class."""
        decoders: Any = {b"chunked": decoder}
        self._transferDecoders = decoders

    def read_at_once(self, size: int) -> None:
        """Set the bytes per read of the socket.

        Does nothing if the response was cancelled.
        """
        read_at_once(self.transport, size)


def parse_answers_with(parser: type[AnswerParser]) -> None:
    """Make all HTTP clients of this process parse responses by another class."""
    _newclient.HTTPClientParser = parser  # type: ignore[misc]
