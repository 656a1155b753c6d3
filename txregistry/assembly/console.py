"""The admin listener of a configuration, and what it shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import attrs
from twisted.application.service import IService
from twisted.internet.endpoints import UNIXServerEndpoint
from twisted.internet.interfaces import IStreamServerEndpoint

from txregistry.admin.requester import peer
from txregistry.assembly.audit import AuditedCommand
from txregistry.assembly.context import Context
from txregistry.assembly.history import build_history
from txregistry.assembly.listeners import Backend, commands_of, diagnosis
from txregistry.assembly.settings import http2_choice
from txregistry.config.http import AdminSection
from txregistry.config.model import Config
from txregistry.config.proxy import Proxy
from txregistry.daemon.endpoints import remove_stale_socket, tcp_endpoint
from txregistry.daemon.tls import wrap_endpoint
from txregistry.flow.changes import ChangeTimes
from txregistry.flow.disk import DiskPool
from txregistry.images.anatomy import Anatomist
from txregistry.images.survey import ReadinessSurvey
from txregistry.interfaces.access import IAccessController
from txregistry.interfaces.commands import Command
from txregistry.interfaces.reload import IReloader
from txregistry.observe.activity import Activity
from txregistry.spec.proxies import TrustedProxies
from txregistry.storage.tree.walk import digests_of_tag
from txregistry.web.console.site import ConsoleSite
from txregistry.web.console.sources import CacheSources, Sources
from txregistry.web.console.visitors import Reception
from txregistry.web.http.serving import Http2Use, offered_protocols

if TYPE_CHECKING:
    from txregistry.assembly.caches import Cache

#: What is done from pages and by the API: the same commands as on the control socket.
_OFFERED = ("warm", "refresh", "purge", "pin", "unpin", "verify", "collect", "offline")

#: Those of them that write no entry of their own; here they are asked from elsewhere.
_AUDITED_HERE = ("warm", "refresh")

#: Commands that only look.
_LOOKING = ("status", "disk", "explain", "ready", "pins", "health")

#: What a registry without an upstream has of all of them.
_OF_REGISTRY = ("verify", "collect", "health")


@attrs.define(eq=False)
class Console:
    """The admin listener.

    :ivar services: to be started before it listens, in their order.
    """

    site: ConsoleSite
    endpoint: IStreamServerEndpoint
    services: tuple[IService, ...]
    _in_force: InForce
    _survey: ReadinessSurvey | None

    def follow(self, context: Context, controller: IAccessController) -> None:
        """Take what a reload has changed: who may come in, and what may be pulled."""
        self._in_force.context = context
        self.site.receive(_reception(context, controller), _proxies(context))
        if self._survey is not None:
            self._survey.forget()


@attrs.define(eq=False)
class InForce:
    """The configuration as it is now."""

    context: Context


def build_console(
    context: Context, backend: Backend, reloader: IReloader, cache: Cache | None
) -> Console | None:
    """Build the admin listener; ``None`` unless it is configured."""
    admin = context.config.http.admin
    if not admin.addr:
        return None
    in_force, disk = InForce(context), DiskPool.create(context.reactor, 1, "history")
    survey = _survey(in_force, backend)
    history = build_history(context, backend, cache, disk)
    activity = Activity()
    known: dict[str, Any] = dict(commands_of(context, backend, reloader))
    for action in _AUDITED_HERE:
        known[action] = AuditedCommand(action, known[action], context.audit)
    sources = Sources(
        context.clock,
        backend.local.namespace,
        Anatomist(
            backend.local.namespace, context.clock, backend.local.databases.ledger
        ),
        history,
        activity,
        diagnosis(backend).problems,
        _chosen(known, _OFFERED, cache is not None),
        _chosen(known, _LOOKING, cache is not None),
        partial(digests_of_tag, backend.local.driver),
        lambda: _host(in_force.context),
        _cache_sources(backend, survey),
    )
    has_tls = admin.tls and not _is_socket(admin)
    site = ConsoleSite(
        sources,
        _reception(context, backend.controller),
        context.reactor,
        _proxies(context),
        http2_choice(context.config) if has_tls else Http2Use.NEVER,
    )
    services: tuple[Any, ...] = (disk, activity, history, site.services)
    if survey is not None:
        services += (survey,)
    return Console(site, _endpoint(context, admin), services, in_force, survey)


def _is_socket(admin: AdminSection) -> bool:
    return admin.addr.startswith("/")


def _reception(context: Context, controller: IAccessController) -> Reception:
    admin = context.config.http.admin
    name_peer = peer if _is_socket(admin) else None
    return Reception(controller, admin.users, _hosts(context), name_peer)


def _proxies(context: Context) -> TrustedProxies:
    return TrustedProxies.parse(context.config.http.trustedproxies)


def _endpoint(context: Context, admin: AdminSection) -> IStreamServerEndpoint:
    if not _is_socket(admin):
        plain = tcp_endpoint(context.reactor, admin.addr)
        if not admin.tls:
            return plain
        protocols = offered_protocols(http2_choice(context.config))
        return wrap_endpoint(plain, context.config.http.tls, protocols, context.reactor)
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


def _hosts(context: Context) -> frozenset[str]:
    """Give the names by which the listener may be asked."""
    http = context.config.http
    known = urlsplit(http.host).hostname or ""
    return frozenset({known, *(name.lower() for name in http.admin.hosts)} - {""})


def _survey(in_force: InForce, backend: Backend) -> ReadinessSurvey | None:
    if backend.images is None:
        return None
    local, context = backend.local, in_force.context

    def changes() -> ChangeTimes | None:
        is_noted = notes_changes(in_force.context.config, local.driver.is_shared)
        return local.changes if is_noted else None

    return ReadinessSurvey(
        backend.images, local.namespace, context.clock, context.reactor, changes
    )


def notes_changes(config: Config, is_shared: bool) -> bool:
    """Tell whether all is noted that changes what would pull with the link down (pure).

    Others who use the storage do not tell. What redis has of content is forgotten after
    a change was noted. With ``maxstale`` time alone makes a tag too old.
    """
    in_redis = config.storage.cache.blobdescriptor == "redis"
    return not (is_shared or in_redis or _has_limit(config.proxy))


def _has_limit(proxy: Proxy) -> bool:
    """Tell whether time alone makes tags too old to be served in an outage."""
    settings = (proxy, *proxy.upstreams.values())
    return any(each.maxstale is not None for each in settings)


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
