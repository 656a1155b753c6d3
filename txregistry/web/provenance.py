"""Let an answer say where it came from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from txregistry.interfaces.provenance import cache_status
from txregistry.spec.cachestatus import CacheStatus
from txregistry.web.http.request import RegistryRequest


@contextmanager
def collect_status(request: RegistryRequest) -> Iterator[CacheStatus]:
    """Offer the services a place for what they know, and send it on.

    Set also when they fail: an error may have a history too.
    """
    status = CacheStatus()
    cache_status.set(status)  # in the context of this request, which ends with it
    try:
        yield status
    finally:
        for name, value in status.headers().items():
            request.setHeader(name, value)
