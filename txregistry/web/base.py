"""``/`` and ``/v2/``: liveness, and the API version check."""

from __future__ import annotations

from txregistry.interfaces.access import Grant
from txregistry.web.http.request import RegistryRequest


def root(request: RegistryRequest) -> bytes:
    """Answer 200 without a body while the process is alive and healthy."""
    request.handler = "root"
    request.setHeader(b"Cache-Control", b"no-cache")
    request.setHeader(b"Content-Length", b"0")
    return b""


async def base(request: RegistryRequest, grant: Grant) -> bytes:
    """Answer that this registry implements the API (OCI distribution-spec, end-1)."""
    request.handler = "base"
    request.setHeader(b"Content-Type", b"application/json")
    request.setHeader(b"Content-Length", b"2")
    return b"{}"
