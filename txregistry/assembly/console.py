"""The admin listener of a configuration, and what it shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
from twisted.application.service import IService
from twisted.internet.defer import Deferred, succeed
from twisted.internet.endpoints import UNIXServerEndpoint
from twisted.internet.interfaces import IStreamServerEndpoint

from txregistry.admin.requester import peer
from txregistry.assembly.context import Context
from txregistry.assembly.listeners import Backend, commands_of, diagnosis
from txregistry.assembly.ownpaths import own_path
from txregistry.config.http import AdminSection
from txregistry.daemon.endpoints import remove_stale_socket, tcp_endpoint
from txregistry.flow.database import Database
from txregistry.flow.deferred import deferred
from txregistry.flow.disk import DiskPool
from txregistry.images.anatomy import Anatomist
from txregistry.images.survey import ReadinessSurvey
from txregistry.interfaces.commands import Command
from txregistry.interfaces.observe import Count
from txregistry.interfaces.reload import IReloader
from txregistry.observe.activity import Activity
from txregistry.observe.history import SCHEMA, VERSION, History
from txregistry.storage.tree.walk import digests_of_tag
from txregistry.web.console.site import ConsoleSite
from txregistry.web.console.sources import CacheSources, Sources
from txregistry.web.console.visitors import Reception

if TYPE_CHECKING:
    from txregistry.assembly.caches import Cache

#: What is done from pages and by the API: the same commands as on the control socket.
_OFFERED = ("warm", "refresh", "purge", "pin", "unpin", "verify", "collect", "offline")

#: Commands that only look.
_LOOKING = ("status", "disk", "explain", "ready", "pins", "health")

#: What a registry without an upstream has of all of them.
_OF_REGISTRY = ("verify", "collect", "health")

#: What the history counts, of all upstreams together and of each.
_COUNTED = {
    "requests": Count.REQUESTS,
    "hits": Count.HITS,
    "misses": Count.MISSES,
    "stale": Count.STALE,
    "pulled_bytes": Count.PULLED_BYTES,
    "served_bytes": Count.SERVED_BYTES,
    "made_room_bytes": Count.MADE_ROOM_BYTES,
}


@attrs.frozen
class Console:
    """The admin listener.

    :ivar services: to be started before it listens, in their order.
    """

    site: ConsoleSite
    endpoint: IStreamServerEndpoint
    services: tuple[IService, ...]


def build_console(
    context: Context, backend: Backend, reloader: IReloader, cache: Cache | None
) -> Console | None:
    """Build the admin listener; ``None`` unless it is configured."""
    admin = context.config.http.admin
    if not admin.addr:
        return None
    disk = DiskPool.create(context.reactor, 1, "history")
    survey = _survey(context, backend)
    history = _history(context, backend, cache, disk)
    activity = Activity()
    known: Mapping[str, Any] = commands_of(context, backend, reloader)
    sources = Sources(
        context.clock,
        backend.local.namespace,
        Anatomist(backend.local.namespace, backend.local.databases.ledger),
        history,
        activity,
        diagnosis(backend).problems,
        _chosen(known, _OFFERED, cache is not None),
        _chosen(known, _LOOKING, cache is not None),
        partial(digests_of_tag, backend.local.driver),
        _host(context),
        _cache_sources(backend, survey),
    )
    is_private = admin.addr.startswith("/")
    reception = Reception(backend.controller, admin.users, peer if is_private else None)
    site = ConsoleSite(sources, reception, context.reactor)
    services: tuple[Any, ...] = (disk, activity, history, site.services)
    if survey is not None:
        services += (survey,)
    return Console(site, _endpoint(context, admin), services)


def _endpoint(context: Context, admin: AdminSection) -> IStreamServerEndpoint:
    if not admin.addr.startswith("/"):
        return tcp_endpoint(context.reactor, admin.addr)
    remove_stale_socket(admin.addr)
    mode = int(admin.socketmode, 8)
    return UNIXServerEndpoint(context.reactor, admin.addr, mode=mode, wantPID=False)


def _chosen(
    known: Mapping[str, Any], wanted: Sequence[str], is_cache: bool
) -> Mapping[str, Command]:
    return {
        name: known[name]
        for name in wanted
        if name in known and (is_cache or name in _OF_REGISTRY)
    }


def _host(context: Context) -> str:
    http = context.config.http
    return http.host.partition("://")[2] or http.host or http.addr


def _survey(context: Context, backend: Backend) -> ReadinessSurvey | None:
    if backend.images is None:
        return None
    local = backend.local.namespace
    return ReadinessSurvey(backend.images, local, context.clock, context.reactor)


def _cache_sources(
    backend: Backend, survey: ReadinessSurvey | None
) -> CacheSources | None:
    if survey is None or backend.images is None:
        return None
    assert backend.overlook is not None
    assert backend.room is not None
    assert backend.offline is not None
    return CacheSources(
        backend.overlook,
        backend.room,
        backend.pins,
        backend.images,
        survey,
        backend.offline,
    )


def _history(
    context: Context, backend: Backend, cache: Cache | None, disk: DiskPool
) -> History:
    path = own_path(context.config, "history.sqlite3", environment=context.environment)

    def counts() -> dict[str, float]:
        return {} if cache is None else _counts(cache)

    def levels() -> Deferred[Mapping[str, float]]:
        return succeed({}) if cache is None else _levels(backend)

    database = Database(path, disk, SCHEMA, VERSION)
    return History(database, counts, levels, context.clock, context.reactor)


def _counts(cache: Cache) -> dict[str, float]:
    """Give all counters as they stand: sums first, then those of each upstream."""
    upstreams = cache.current.upstreams.values()
    found = dict.fromkeys(_COUNTED, 0.0)
    for upstream in upstreams:
        totals = upstream.meter.totals()
        for name, what in _COUNTED.items():
            found[name] += totals[what]
            found[f"{upstream.meter.label}/{name}"] = totals[what]
    return found


@deferred
async def _levels(backend: Backend) -> Mapping[str, float]:
    assert backend.room is not None
    assert backend.overlook is not None
    usage = (await backend.room.preview(number=1)).usage
    downloads = len(backend.overlook.glance().downloads)
    return {"stored_bytes": float(usage.total), "downloads": float(downloads)}
