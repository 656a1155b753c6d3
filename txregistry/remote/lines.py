"""How long the head of an upstream's answer may be.

The one module that knows the name of Twisted's parser of answers: there is no other
way to tell it.
"""

from __future__ import annotations

from twisted.web import _newclient
from twisted.web._newclient import HTTPClientParser, ParseError

#: Bytes of one line. Twisted takes 16 KiB, and some gateways send policies and cookies
#: that are longer.
MAX_LINE_BYTES = 64 * 1024

#: Bytes and lines of one head, with all that is sent before it in vain (1xx).
MAX_HEAD_BYTES = 128 * 1024
MAX_HEAD_LINES = 1000


class CappedParser(HTTPClientParser):
    """A parser that gives a head up which goes on: Twisted's has no end."""

    MAX_LENGTH = MAX_LINE_BYTES
    _bytes = 0
    _lines = 0

    def lineReceived(self, line: bytes) -> None:
        """Count a line, and read it if it is not one too many."""
        self._bytes += len(line) + 2
        self._lines += 1
        if self._bytes > MAX_HEAD_BYTES or self._lines > MAX_HEAD_LINES:
            raise ParseError("head too long", b"")
        super().lineReceived(line)


def cap_heads() -> None:
    """Let every client of this process take lines and heads as long as said above."""
    _newclient.HTTPClientParser = CappedParser  # type: ignore[misc]
