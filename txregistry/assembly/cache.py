"""The cache of one upstream: the local registry in front of it."""

from __future__ import annotations

import hashlib

import attrs
from twisted.application.service import IService
from twisted.internet.interfaces import IReactorTime

from txregistry.assembly.context import Context
from txregistry.assembly.storage import LocalRegistry
from txregistry.assembly.upstream import upstream_agents
from txregistry.assembly.upstreams import label_of
from txregistry.config.proxy import Upstream
from txregistry.daemon.preload import Preload
from txregistry.interfaces.eviction import IRoom
from txregistry.interfaces.fills import IDownloadClaims
from txregistry.interfaces.namespace import INamespace
from txregistry.interfaces.observe import IMeter
from txregistry.observe.upstreams import UpstreamMeter
from txregistry.proxy.claims import OneNode
from txregistry.proxy.context import make_cache_context
from txregistry.proxy.download import DownloadContext
from txregistry.proxy.endless_room import EndlessRoom
from txregistry.proxy.fills import Fills, RunningFills
from txregistry.proxy.namespace import ProxyNamespace
from txregistry.proxy.passing import Passing
from txregistry.remote.client import UpstreamAgents, UpstreamClient
from txregistry.remote.connections import KeepAlivePool
from txregistry.remote.namespace import RemoteNamespace
from txregistry.remote.transport import TlsFiles
from txregistry.spec.freshness import TagPolicy
from txregistry.spec.upstreams import UpstreamNames


@attrs.frozen
class CachedUpstream:
    """The cache of one upstream, and its parts that a reload keeps.

    :ivar settings: with its URL.
    :ivar files: those of its ``tls``.
    """

    names: UpstreamNames
    settings: Upstream
    namespace: ProxyNamespace
    client: UpstreamClient
    files: TlsFiles
    preload: Preload
    fills: Fills
    meter: UpstreamMeter

    @property
    def services(self) -> tuple[IService, ...]:
        """Give the services in the order of their start."""
        return self.preload, self.fills

    def retire(self) -> None:
        """Take it out of use: no login, no idle connection; its fills go on."""
        self.preload.disownServiceParent()


@attrs.frozen
class Shared:
    """What all upstreams of a cache share.

    :ivar claims: of downloads, where other nodes fill the same storage.
    :ivar running: all fills, so that one blob is downloaded once.
    :ivar room: on the disk, for downloads.
    :ivar passing: what becomes of what cannot be stored.
    """

    local: LocalRegistry
    claims: IDownloadClaims = attrs.field(factory=OneNode)
    running: RunningFills = attrs.field(factory=dict)
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
) -> ProxyNamespace:
    """Put a local registry in front of an upstream."""
    ledger = local.databases.ledger
    context = make_cache_context(
        local.content,
        fills,
        policy,
        ledger,
        ledger,
        metrics,
        clock,
        recheck_seconds,
        upstream,
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
    meter = context.metrics.of_upstream(names.key, label_of(names.key, settings))
    agents, pool = _agents(context, settings, files, meter)
    client = UpstreamClient(agents, context.reactor)
    fills = _fills(context, settings, shared, meter)
    namespace = assemble_cache(
        shared.local,
        RemoteNamespace(client, names.at_upstream),
        fills,
        TagPolicy(settings.tagttl, settings.maxstale),
        meter,
        context.clock,
        settings.recheck,
        _mark(settings),
    )
    preload = Preload(client, pool, _uses_credentials(settings))
    return CachedUpstream(
        names, settings, namespace, client, files, preload, fills, meter
    )


def _agents(
    context: Context, proxy: Upstream, files: TlsFiles, meter: IMeter
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
    )
    return agents, pool


def _fills(context: Context, proxy: Upstream, shared: Shared, meter: IMeter) -> Fills:
    downloads = DownloadContext(
        shared.local.partials,
        context.reactor,
        context.jitter,
        meter,
        proxy.stalltimeout,
        shared.passing,
        shared.room,
    )
    return Fills(
        downloads,
        proxy.maxfills,
        shared.running,
        tracer=context.tracer,
        claims=shared.claims,
    )


def _uses_credentials(proxy: Upstream) -> bool:
    return bool(proxy.username or proxy.exec.command)


@attrs.frozen
class NextUpstream:
    """A cached upstream with other settings, ready for :meth:`begin`.

    :ivar agents: new agents of the client, with their pool; ``None`` to keep the
        current ones.
    :ivar is_same: upstream and credentials are unchanged.
    """

    cache: CachedUpstream
    agents: tuple[UpstreamAgents, KeepAlivePool] | None = None
    is_same: bool = True

    def begin(self) -> None:
        """Apply the settings; current fills continue."""
        cache = self.cache
        proxy = cache.settings
        cache.fills.limit(proxy.stalltimeout, proxy.maxfills)
        if self.agents is not None:
            agents, pool = self.agents
            cache.client.use(agents)
            cache.preload.renew(pool, _uses_credentials(proxy))
        if not self.is_same:
            cache.fills.forget()
        cache.meter.rename(label_of(cache.names.key, proxy))


def next_upstream(
    context: Context,
    cache: CachedUpstream,
    names: UpstreamNames,
    settings: Upstream,
    files: TlsFiles,
) -> NextUpstream:
    """Prepare other settings of a cached upstream.

    :param settings: with its URL.
    :param files: the current content of the files of its ``tls``.
    :raise ValueError: the configuration cannot be used.
    """
    before = cache.settings
    # The credentials of a helper may have changed although the configuration has not.
    same_agents = (
        _asked_by(settings) == _asked_by(before)
        and files == cache.files
        and not settings.exec.command
    )
    if settings == before and names == cache.names and same_agents:
        return NextUpstream(cache)
    is_same = _identity(settings) == _identity(before) and files == cache.files
    policy = TagPolicy(settings.tagttl, settings.maxstale)
    namespace = cache.namespace.renewed(
        policy, settings.recheck, is_same, _mark(settings)
    )
    return NextUpstream(
        attrs.evolve(
            cache, names=names, settings=settings, namespace=namespace, files=files
        ),
        None if same_agents else _agents(context, settings, files, cache.meter),
        is_same,
    )


def _asked_by(proxy: Upstream) -> tuple[object, ...]:
    """Return the settings that the agents use."""
    found = attrs.asdict(proxy, recurse=False)
    return tuple(value for name, value in found.items() if name not in _NOT_ASKED_BY)


#: Settings that the agents do not use.
_NOT_ASKED_BY = frozenset(
    (
        "ttl",
        "tagttl",
        "maxstale",
        "recheck",
        "stalltimeout",
        "maxfills",
        "hosts",
        "allow",
        "deny",
        "upstreams",
        "local",
        "cachewritetimeout",
    )
)


def _mark(proxy: Upstream) -> str:
    """Give a short text for an upstream and its user, the same at each process."""
    whose = repr((proxy.remoteurl, proxy.username, proxy.exec.command))
    return hashlib.sha256(whose.encode("utf-8")).hexdigest()[:16]


def _identity(proxy: Upstream) -> tuple[object, ...]:
    return proxy.remoteurl, proxy.username, proxy.password, proxy.exec
