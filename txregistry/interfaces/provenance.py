"""How a service tells the web room where its answer came from.

The contracts of blobs, manifests and tags are the same for local, remote and proxy;
only a proxy has something to say here, and only the web room listens.
"""

from __future__ import annotations

from contextvars import ContextVar

from txregistry.spec.cachestatus import CacheStatus

#: The status of the answer under way; outside of one, nobody reads it.
cache_status: ContextVar[CacheStatus | None] = ContextVar(
    "txregistry_cache_status", default=None
)


def current_status() -> CacheStatus:
    """Give the status to write to; one that nobody reads if nobody asked."""
    status = cache_status.get()
    return CacheStatus() if status is None else status
