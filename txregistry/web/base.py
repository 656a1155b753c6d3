"""``/`` and ``/v2/``: is there a registry."""

from __future__ import annotations

from txregistry.spec.errors import Unsupported
from txregistry.web.site import RegistryRequest


def root(request: RegistryRequest) -> bytes:
    """Answer that the process lives."""
    request.handler = "root"
    request.setHeader(b"Cache-Control", b"no-cache")
    request.setHeader(b"Content-Length", b"0")
    return b""


def base(request: RegistryRequest) -> bytes:
    """Answer that this is a registry (OCI distribution-spec, end-1)."""
    request.handler = "base"
    request.setHeader(b"Content-Type", b"application/json")
    request.setHeader(b"Content-Length", b"2")
    return b"{}"


def unsupported(request: RegistryRequest) -> bytes:
    """Refuse what would change a cache or a registry that takes no pushes."""
    raise Unsupported()
