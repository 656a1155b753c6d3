"""What is private to Twisted's HTTP client, under names of ours.

There is no other way to tell it how long the head of an answer may be, and how its body
is taken apart.
"""

from __future__ import annotations

from typing import Any

from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.web import _newclient
from twisted.web._newclient import (
    HTTPClientParser,
    ParseError,
    TransportProxyProducer,
)
from twisted.web.http import _ChunkedTransferDecoder as ChunkedDecoder

from txregistry.private_names import require_names

__all__ = ["AnswerParser", "ChunkedDecoder", "ParseError", "parse_answers_with"]

require_names(HTTPClientParser, "MAX_LENGTH", "lineReceived", "rawDataReceived")
require_names(HTTPClientParser, "switchToBodyMode", "_transferDecoders")
require_names(ChunkedDecoder, "dataReceived")
require_names(TransportProxyProducer(None), "_producer")


class AnswerParser(HTTPClientParser):
    """Takes one answer apart; what reads its chunks can be replaced."""

    def decode_chunks_with(self, decoder: type[ChunkedDecoder]) -> None:
        """Have a body in chunks taken apart by another class."""
        decoders: Any = {b"chunked": decoder}
        self._transferDecoders = decoders

    def read_at_once(self, size: int) -> None:
        """Say how many bytes the socket is asked for at a time.

        Does nothing when the answer has been given up.
        """
        transport: Any = self.transport
        if isinstance(transport, TransportProxyProducer):
            transport = transport._producer
        while isinstance(transport, TLSMemoryBIOProtocol):
            transport = transport.transport
        if transport is not None:
            transport.bufferSize = size


def parse_answers_with(parser: type[AnswerParser]) -> None:
    """Let every client of this process read answers by a class of ours."""
    _newclient.HTTPClientParser = parser  # type: ignore[misc]
