"""The cache of one upstream: the local registry in front of it."""

from __future__ import annotations

import attrs
from twisted.application.service import IService
from twisted.internet.interfaces import IReactorTime

from txregistry.assembly.context import Context
from txregistry.assembly.storage import LocalRegistry
from txregistry.assembly.upstream import upstream_agents
from txregistry.assembly.upstream_settings import (
    asked_by,
    identity_of,
    mark_of,
    rate_policy,
    tag_policy,
    uses_credentials,
)
from txregistry.assembly.upstreams import Owners, label_of
from txregistry.config.proxy import Exec, Upstream
from txregistry.daemon.preload import Preload
from txregistry.flow.shared_rate import SharedRate
from txregistry.interfaces.eviction import IRoom
from txregistry.interfaces.fills import IDownloadClaims
from txregistry.interfaces.namespace import INamespace
from txregistry.interfaces.observe import IMeter
from txregistry.observe.upstreams import UpstreamMeter
from txregistry.proxy.behind import Behind
from txregistry.proxy.claims import OneNode
from txregistry.proxy.context import IsOurs, all_are_ours, make_cache_context
from txregistry.proxy.download import DownloadContext
from txregistry.proxy.download_turns import DownloadTurns
from txregistry.proxy.endless_room import EndlessRoom
from txregistry.proxy.fills import Fills, RunningFills
from txregistry.proxy.namespace import ProxyNamespace
from txregistry.proxy.passing import Passing
from txregistry.remote.client import UpstreamAgents, UpstreamClient
from txregistry.remote.connections import KeepAlivePool
from txregistry.remote.mirrors import MirroredNamespace
from txregistry.remote.namespace import RemoteNamespace
from txregistry.remote.offline import OfflineSwitch
from txregistry.remote.ratelimit import RateLimit
from txregistry.remote.transport import TlsFiles
from txregistry.spec.freshness import TagPolicy
from txregistry.spec.upstreams import UpstreamNames

#: The connections to the mirrors of an upstream.
Pools = tuple[KeepAlivePool, ...]


@attrs.frozen
class CachedUpstream:
    """The cache of one upstream, and its parts that a reload keeps.

    :ivar settings: with its URL.
    :ivar mirrors: the connections to its mirrors.
    :ivar files: those of its ``tls``.
    """

    names: UpstreamNames
    settings: Upstream
    namespace: ProxyNamespace
    client: UpstreamClient
    files: TlsFiles
    preload: Preload
    fills: Fills
    behind: Behind
    rate_limit: RateLimit
    meter: UpstreamMeter
    mirrors: Pools = ()

    @property
    def services(self) -> tuple[IService, ...]:
        """Give the services in the order of their start."""
        return self.preload, self.fills, self.behind

    def retire(self) -> None:
        """Take it out of use: no login, no idle connection; its fills go on."""
        self.preload.disownServiceParent()
        self.meter.retire()
        self.behind.disownServiceParent()
        self.fills.retire()
        _retire(self.mirrors)


@attrs.frozen
class Shared:
    """What all upstreams of a cache share.

    :ivar owners: tells which of them a stored repository is of.
    :ivar claims: of downloads, where other nodes fill the same storage.
    :ivar running: all fills, so that one blob is downloaded once.
    :ivar offline: whether any of them may be asked.
    :ivar room: on the disk, for downloads.
    :ivar passing: what becomes of what cannot be stored.
    """

    local: LocalRegistry
    owners: Owners
    claims: IDownloadClaims = attrs.field(factory=OneNode)
    running: RunningFills = attrs.field(factory=dict)
    offline: OfflineSwitch = attrs.field(factory=OfflineSwitch)
    room: IRoom = attrs.field(factory=EndlessRoom)
    passing: Passing = attrs.field(factory=Passing)


def assemble_cache(
    local: LocalRegistry,
    remote: INamespace,
    fills: Fills,
    policy: TagPolicy,
    metrics: IMeter,
    clock: IReactorTime,
    recheck_seconds: float,
    upstream: str = "",
    behind: Behind | None = None,
    rate_limit: RateLimit | None = None,
    is_ours: IsOurs = all_are_ours,
) -> ProxyNamespace:
    """Put a local registry in front of an upstream."""
    ledger = local.databases.ledger
    context = make_cache_context(
        local.content,
        fills,
        policy,
        ledger,
        ledger,
        ledger,
        metrics,
        clock,
        recheck_seconds,
        upstream,
        behind,
        rate_limit,
        is_ours,
        local.changes,
    )
    return ProxyNamespace(local.namespace, remote, context)


def build_upstream(
    context: Context,
    names: UpstreamNames,
    settings: Upstream,
    files: TlsFiles,
    shared: Shared,
) -> CachedUpstream:
    """Build the cache of one upstream; sends no request yet.

    :param settings: with its URL.
    :param files: those of its ``tls``.
    :raise ValueError: the configuration cannot be used.
    """
    label = label_of(names.key, settings)
    meter = context.metrics.of_upstream(names.key, label)
    meter.rename(label)
    limit = RateLimit(context.reactor, meter, rate_policy(settings))
    agents, pool = _agents(context, settings, files, meter, shared.offline, limit)
    client = UpstreamClient(agents, context.reactor, shared.offline)
    fills, behind = _fills(context, settings, shared, meter), Behind()
    remote, mirrors = _remote(
        context, names, settings, files, client, meter, shared.offline
    )
    namespace = assemble_cache(
        shared.local,
        remote,
        fills,
        tag_policy(settings),
        meter,
        context.clock,
        settings.recheck,
        mark_of(settings),
        behind,
        limit,
        shared.owners.of(names.key),
    )
    preload = Preload(client, pool, uses_credentials(settings))
    return CachedUpstream(
        names,
        settings,
        namespace,
        client,
        files,
        preload,
        fills,
        behind,
        limit,
        meter,
        mirrors,
    )


def _retire(pools: Pools) -> None:
    for pool in pools:
        pool.retire()


def _remote(
    context: Context,
    names: UpstreamNames,
    settings: Upstream,
    files: TlsFiles,
    client: UpstreamClient,
    meter: IMeter,
    offline: OfflineSwitch,
) -> tuple[INamespace, Pools]:
    """Put its mirrors before an upstream, if it has some; give their connections."""
    upstream = RemoteNamespace(client, names.at_upstream)
    if not settings.mirrors:
        return upstream, ()
    # Nobody but the upstream itself is told who we are.
    anonymous = attrs.evolve(files, certificate=b"", key=b"")
    mirrors, pools = [], []
    for url in settings.mirrors:
        mirror = attrs.evolve(
            settings, remoteurl=url, username="", password="", exec=Exec()
        )
        # What a mirror permits says nothing of what the upstream does.
        agents, pool = _agents(context, mirror, anonymous, meter, offline)
        client = UpstreamClient(agents, context.reactor, offline)
        mirrors.append(RemoteNamespace(client, names.at_upstream))
        pools.append(pool)
    return MirroredNamespace([*mirrors, upstream]), tuple(pools)


def _agents(
    context: Context,
    proxy: Upstream,
    files: TlsFiles,
    meter: IMeter,
    offline: OfflineSwitch,
    rate_limit: RateLimit | None = None,
) -> tuple[UpstreamAgents, KeepAlivePool]:
    pool = KeepAlivePool(context.reactor, proxy.maxconnections)
    agents = upstream_agents(
        proxy,
        files,
        context.reactor,
        pool,
        context.jitter,
        context.environment,
        meter,
        context.tracer,
        offline,
        rate_limit,
    )
    return agents, pool


def _fills(context: Context, proxy: Upstream, shared: Shared, meter: IMeter) -> Fills:
    downloads = DownloadContext(
        shared.local.partials,
        context.reactor,
        context.jitter,
        meter,
        SharedRate(context.reactor, proxy.maxrate),
        proxy.stalltimeout,
        shared.passing,
        shared.room,
    )
    return Fills(
        downloads,
        DownloadTurns(proxy.maxfills, proxy.maxconnections),
        shared.running,
        tracer=context.tracer,
        claims=shared.claims,
    )


@attrs.frozen
class NextUpstream:
    """A cached upstream with other settings, ready for :meth:`begin`.

    :ivar agents: new agents of the client, with their pool; ``None`` to keep the
        current ones.
    :ivar is_same: upstream and credentials are unchanged.
    :ivar retired: connections to mirrors that nobody uses from then on.
    """

    cache: CachedUpstream
    agents: tuple[UpstreamAgents, KeepAlivePool] | None = None
    is_same: bool = True
    retired: Pools = ()

    def begin(self) -> None:
        """Apply the settings; current fills continue."""
        cache = self.cache
        proxy = cache.settings
        cache.fills.limit(
            proxy.stalltimeout, proxy.maxfills, proxy.maxrate, proxy.maxconnections
        )
        cache.rate_limit.follow(rate_policy(proxy))
        if self.agents is not None:
            agents, pool = self.agents
            cache.client.use(agents)
            cache.preload.renew(pool, uses_credentials(proxy))
        _retire(self.retired)
        if not self.is_same:
            cache.fills.forget()
            cache.behind.forget()
            cache.rate_limit.forget()
        cache.meter.rename(label_of(cache.names.key, proxy))


def next_upstream(
    context: Context,
    cache: CachedUpstream,
    names: UpstreamNames,
    settings: Upstream,
    files: TlsFiles,
    offline: OfflineSwitch,
) -> NextUpstream:
    """Prepare other settings of a cached upstream.

    :param settings: with its URL.
    :param files: the current content of the files of its ``tls``.
    :param offline: whether it may be asked.
    :raise ValueError: the configuration cannot be used.
    """
    before = cache.settings
    # The credentials of a helper may have changed although the configuration has not.
    same_agents = (
        asked_by(settings) == asked_by(before)
        and files == cache.files
        and not settings.exec.command
    )
    if settings == before and names == cache.names and same_agents:
        return NextUpstream(cache)
    is_same = identity_of(settings) == identity_of(before) and files == cache.files
    policy = tag_policy(settings)
    remote, mirrors, retired = None, cache.mirrors, Pools()
    if not same_agents and (settings.mirrors or before.mirrors):
        retired = mirrors
        remote, mirrors = _remote(
            context, names, settings, files, cache.client, cache.meter, offline
        )
    namespace = cache.namespace.renewed(
        policy, settings.recheck, is_same, mark_of(settings), remote
    )
    return NextUpstream(
        attrs.evolve(
            cache,
            names=names,
            settings=settings,
            namespace=namespace,
            files=files,
            mirrors=mirrors,
        ),
        None
        if same_agents
        else _agents(context, settings, files, cache.meter, offline, cache.rate_limit),
        is_same,
        retired,
    )
