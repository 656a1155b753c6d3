"""What became of a request, for logs and metrics."""

from __future__ import annotations

import re

from txregistry.interfaces.observe import Exchange
from txregistry.web.http.request import RegistryRequest

#: The client has gone before its answer was whole; as nginx has it, and distribution.
CLIENT_LEFT = 499

#: What a log is not to hold: whoever has it can go on with somebody's upload.
#: Letters of it may be written by their numbers.
_SECRET = re.compile(
    r"([?&;](?:_|%5f)state=)[^&]*|(blobs(?:/|%2f)uploads(?:/|%2f))[^/?]+", re.IGNORECASE
)


def masked(uri: str) -> str:
    """Give a URI without what would let a reader go on with an upload."""
    if "uploads" not in uri and "state=" not in uri:
        return uri
    return _SECRET.sub(lambda match: (match[1] or match[2]) + "-", uri)


def record(request: RegistryRequest, now: float) -> Exchange:
    """Say what became of a request.

    :param now: by the clock of its site, in seconds.
    """
    cached = request.responseHeaders.getRawHeaders(b"Cache-Status", [b""])
    return Exchange(
        request_id=request.identity,
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
    )
