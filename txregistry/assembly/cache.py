"""A cache: the local registry in front of an upstream."""

from __future__ import annotations

import attrs
from twisted.application.service import IService
from twisted.internet.interfaces import IReactorTime

from txregistry.assembly.context import Context
from txregistry.assembly.storage import LocalRegistry
from txregistry.assembly.upstream import upstream_client
from txregistry.daemon.preload import Preload
from txregistry.interfaces.namespace import INamespace
from txregistry.observe.metrics import Metrics
from txregistry.proxy.context import make_cache_context
from txregistry.proxy.fills import Fills
from txregistry.proxy.namespace import ProxyNamespace
from txregistry.remote.connections import KeptConnections
from txregistry.remote.namespace import RemoteNamespace
from txregistry.spec.freshness import TagPolicy


@attrs.frozen
class Cache:
    """A cache, its downloads, and its services in the order of their start."""

    namespace: INamespace
    fills: Fills
    services: tuple[IService, ...]


def assemble_cache(
    local: LocalRegistry,
    remote: INamespace,
    fills: Fills,
    policy: TagPolicy,
    metrics: Metrics,
    clock: IReactorTime,
    recheck_seconds: float,
) -> ProxyNamespace:
    """Put a local registry in front of an upstream."""
    ledger = local.databases.ledger
    context = make_cache_context(
        local.content, fills, policy, ledger, ledger, metrics, clock, recheck_seconds
    )
    return ProxyNamespace(local.namespace, remote, context)


def build_cache(context: Context, local: LocalRegistry) -> Cache:
    """Build the cache of a configuration; sends no request yet.

    :raise OSError: a file that the configuration names cannot be read.
    :raise ValueError: the configuration cannot be used.
    """
    proxy = context.config.proxy
    pool = KeptConnections(context.reactor, proxy.maxconnections)
    client = upstream_client(
        proxy,
        context.reactor,
        pool,
        context.jitter,
        context.environment,
        context.metrics,
    )
    fills = _fills(context, local)
    namespace = assemble_cache(
        local,
        RemoteNamespace(client),
        fills,
        TagPolicy(proxy.tagttl, proxy.maxstale),
        context.metrics,
        context.clock,
        proxy.recheck,
    )
    uses_credentials = bool(proxy.username or proxy.exec.command)
    preload = Preload(client, pool, uses_credentials)
    return Cache(namespace, fills, (preload, fills))


def _fills(context: Context, local: LocalRegistry) -> Fills:
    proxy = context.config.proxy
    return Fills(
        local.partials,
        context.reactor,
        context.jitter,
        context.metrics,
        proxy.stalltimeout,
        proxy.maxfills,
    )
