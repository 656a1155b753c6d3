"""The history of a daemon: what it counts, and where that is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, succeed

from txregistry.assembly.context import Context
from txregistry.assembly.listeners import Backend
from txregistry.assembly.ownpaths import own_path
from txregistry.flow.database import Database
from txregistry.flow.deferred import deferred
from txregistry.flow.disk import DiskPool
from txregistry.interfaces.observe import Count
from txregistry.observe.history import SCHEMA, VERSION, History
from txregistry.observe.upstreams import UpstreamMeter

if TYPE_CHECKING:
    from txregistry.assembly.caches import Cache

#: What the history counts of each upstream.
_COUNTED = {
    "requests": Count.REQUESTS,
    "hits": Count.HITS,
    "misses": Count.MISSES,
    "stale": Count.STALE,
    "pulled_bytes": Count.PULLED_BYTES,
    "served_bytes": Count.SERVED_BYTES,
    "hit_bytes": Count.HIT_BYTES,
    "stale_bytes": Count.STALE_BYTES,
    "made_room_bytes": Count.MADE_ROOM_BYTES,
}


def build_history(
    context: Context, backend: Backend, cache: Cache | None, disk: DiskPool
) -> History:
    """Build it; the file is made when it starts."""
    path = own_path(context.config, "history.sqlite3", environment=context.environment)

    def counts() -> dict[str, float]:
        return {} if cache is None else counts_of(cache)

    def levels() -> Deferred[Mapping[str, float]]:
        return succeed({}) if cache is None else _levels(backend)

    database = Database(path, disk, SCHEMA, VERSION)
    return History(database, counts, levels, context.clock, context.reactor)


def counts_of(cache: Cache) -> dict[str, float]:
    """Give the counters of each upstream as they stand."""
    meters = [upstream.meter for upstream in cache.current.upstreams.values()]
    return {
        f"{meter.label}/{name}": count
        for meter in meters
        for name, count in _of_upstream(meter).items()
    }


def _of_upstream(meter: UpstreamMeter) -> dict[str, float]:
    totals, (questions, seconds) = meter.totals(), meter.questions()
    return {name: totals[what] for name, what in _COUNTED.items()} | {
        "miss_bytes": totals[Count.SERVED_BYTES] - totals[Count.HIT_BYTES],
        "questions": float(questions),
        "asked_seconds": seconds,
    }


@deferred
async def _levels(backend: Backend) -> Mapping[str, float]:
    assert backend.room is not None
    assert backend.overlook is not None
    usage = (await backend.room.preview(number=1)).usage
    downloads = len(backend.overlook.glance().downloads)
    return {"stored_bytes": float(usage.total), "downloads": float(downloads)}
