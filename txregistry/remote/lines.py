"""How long a header line of an upstream may be.

The one module that knows the name of Twisted's parser of answers: there is no other
way to tell it.
"""

from __future__ import annotations

from twisted.web._newclient import HTTPClientParser

#: Bytes of one line. Twisted takes 16 KiB, and some gateways send policies and cookies
#: that are longer.
MAX_LINE_BYTES = 64 * 1024


def take_long_lines() -> None:
    """Let every client of this process take lines of :data:`MAX_LINE_BYTES`."""
    HTTPClientParser.MAX_LENGTH = MAX_LINE_BYTES
