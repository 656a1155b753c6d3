"""``/`` and ``/v2/``: is there a registry."""

from __future__ import annotations

from txregistry.interfaces.access import Grant
from txregistry.web.http.request import RegistryRequest


def root(request: RegistryRequest) -> bytes:
    """Answer that the process lives."""
    request.handler = "root"
    request.setHeader(b"Cache-Control", b"no-cache")
    request.setHeader(b"Content-Length", b"0")
    return b""


async def base(request: RegistryRequest, grant: Grant) -> bytes:
    """Answer that this is a registry (OCI distribution-spec, end-1)."""
    request.handler = "base"
    request.setHeader(b"Content-Type", b"application/json")
    request.setHeader(b"Content-Length", b"2")
    return b"{}"
