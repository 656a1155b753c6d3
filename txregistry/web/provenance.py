"""The ``Cache-Status``, ``Age`` and ``Warning`` headers of answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from txregistry.interfaces.provenance import cache_status
from txregistry.spec.cachestatus import CacheStatus
from txregistry.web.http.request import RegistryRequest


@contextmanager
def collect_status(request: RegistryRequest) -> Iterator[CacheStatus]:
    """Collect what the services report about the cache, and set it as headers.

    The headers are set when the block fails as well: an error may come from the
    upstream.
    """
    status = CacheStatus()
    cache_status.set(status)  # a context variable of this request
    try:
        yield status
    finally:
        for name, value in status.headers().items():
            request.setHeader(name, value)
