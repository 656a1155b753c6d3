"""The record of a request and its answer, for logs and metrics."""

from __future__ import annotations

import re

from txregistry.interfaces.observe import Exchange
from txregistry.web.http.request import RegistryRequest

#: Status of a client that disconnected before its answer was complete, as in nginx.
CLIENT_LEFT = 499


def _spelled(text: str) -> str:
    """Return a pattern of a text of which any character may be percent-encoded."""
    return "".join(f"(?:{re.escape(char)}|%{ord(char):02x})" for char in text)


#: The id and the state of an upload, with which a reader of the log could resume it.
_SECRET = re.compile(
    rf"([?&;]{_spelled('_state')}=)[^&]*|({_spelled('blobs/uploads/')})[^/?]+",
    re.IGNORECASE,
)


def masked(uri: str) -> str:
    """Replace ids and states of uploads in a URI with ``-``."""
    if "uploads" not in uri and "state=" not in uri and "%" not in uri:
        return uri
    return _SECRET.sub(lambda match: (match[1] or match[2]) + "-", uri)


def record(request: RegistryRequest, now: float) -> Exchange:
    """Return the record of a request that has ended.

    :param now: seconds, by the clock of its site.
    """
    cached = request.responseHeaders.getRawHeaders(b"Cache-Status", [b""])
    return Exchange(
        request_id=request.request_id,
        handler=request.handler,
        peer=request.peer,
        user=request.actor or "-",
        method=request.method.decode("ascii", "replace"),
        uri=masked(request.uri.decode("ascii", "replace")),
        protocol=request.clientproto.decode("ascii", "replace"),
        status=CLIENT_LEFT if request.client_left else int(request.code),
        sent_bytes=request.sentLength,
        seconds=max(0.0, now - request.began_at),
        referer=masked(request.header("Referer")),
        user_agent=request.header("User-Agent"),
        cache_status=cached[-1].decode("latin-1"),
        aborted=request.aborted,
        wait_seconds=max(0.0, (request.head_at or now) - request.began_at),
    )
