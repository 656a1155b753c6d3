"""A cache: the local registry in front of an upstream."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import attrs
from twisted.application.service import IService
from twisted.internet.interfaces import IReactorTime

from txregistry.assembly.context import Context, upstream_name
from txregistry.assembly.pemfiles import read_tls_files
from txregistry.assembly.storage import LocalRegistry
from txregistry.assembly.upstream import upstream_agents
from txregistry.config.fields import Duration
from txregistry.config.proxy import Proxy
from txregistry.daemon.preload import Preload
from txregistry.interfaces.fills import IDownloadClaims
from txregistry.interfaces.namespace import INamespace
from txregistry.interfaces.scrub import IHealer
from txregistry.observe.metrics import Metrics
from txregistry.proxy.claims import OneNode
from txregistry.proxy.context import make_cache_context
from txregistry.proxy.download import DownloadContext
from txregistry.proxy.fills import Fills
from txregistry.proxy.healing import Healer
from txregistry.proxy.namespace import ProxyNamespace
from txregistry.remote.client import UpstreamAgents, UpstreamClient
from txregistry.remote.connections import KeepAlivePool
from txregistry.remote.namespace import RemoteNamespace
from txregistry.remote.transport import TlsFiles
from txregistry.spec.freshness import TagPolicy
from txregistry.storage.content.store import Content

if TYPE_CHECKING:
    from txregistry.flow.redis.client import Redis
    from txregistry.proxy.redis_claims import RedisClaims


@attrs.frozen
class Cache:
    """A cache, and its parts that a reload keeps.

    :ivar files: those of ``proxy.tls``.
    :ivar claims: of downloads, where other nodes fill the same storage.
    """

    namespace: ProxyNamespace
    client: UpstreamClient
    files: TlsFiles
    preload: Preload
    fills: Fills
    claims: RedisClaims | None = None

    @property
    def services(self) -> tuple[IService, ...]:
        """Give the services in the order of their start."""
        first = () if self.claims is None else (self.claims,)
        return *first, self.preload, self.fills

    def healer(self, content: Content) -> IHealer:
        """Make what fetches damaged content again."""
        return Healer(self.namespace, self.fills, content)

    def next(
        self, context: Context, before: Proxy, files: TlsFiles
    ) -> NextCache | None:
        """Prepare other settings; see :func:`next_cache`."""
        return next_cache(context, self, before, files)


def assemble_cache(
    local: LocalRegistry,
    remote: INamespace,
    fills: Fills,
    policy: TagPolicy,
    metrics: Metrics,
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


def build_cache(context: Context, local: LocalRegistry, redis: Redis | None) -> Cache:
    """Build the cache of a configuration; sends no request yet.

    :param redis: which nodes share, if others use the storage.
    :raise OSError: a file that the configuration names cannot be read.
    :raise ValueError: the configuration cannot be used.
    """
    proxy = context.config.proxy
    files = read_tls_files(proxy)
    agents, pool = _agents(context, files)
    client = UpstreamClient(agents, context.reactor)
    claims = _claims(context, local, redis)
    fills = _fills(context, local, claims or OneNode())
    namespace = assemble_cache(
        local,
        RemoteNamespace(client),
        fills,
        TagPolicy(proxy.tagttl, proxy.maxstale),
        context.metrics,
        context.clock,
        proxy.recheck,
        _mark(proxy),
    )
    preload = Preload(client, pool, _uses_credentials(proxy))
    return Cache(namespace, client, files, preload, fills, claims)


def _claims(
    context: Context, local: LocalRegistry, redis: Redis | None
) -> RedisClaims | None:
    if redis is None or not local.driver.is_shared:
        return None
    from txregistry.proxy.redis_claims import RedisClaims

    return RedisClaims(redis, context.reactor)


def _agents(context: Context, files: TlsFiles) -> tuple[UpstreamAgents, KeepAlivePool]:
    proxy = context.config.proxy
    pool = KeepAlivePool(context.reactor, proxy.maxconnections)
    agents = upstream_agents(
        proxy,
        files,
        context.reactor,
        pool,
        context.jitter,
        context.environment,
        context.metrics,
        context.tracer,
    )
    return agents, pool


def _fills(context: Context, local: LocalRegistry, claims: IDownloadClaims) -> Fills:
    proxy = context.config.proxy
    downloads = DownloadContext(
        local.partials,
        context.reactor,
        context.jitter,
        context.metrics,
        proxy.stalltimeout,
    )
    return Fills(downloads, proxy.maxfills, tracer=context.tracer, claims=claims)


def _uses_credentials(proxy: Proxy) -> bool:
    return bool(proxy.username or proxy.exec.command)


@attrs.frozen
class NextCache:
    """A cache with other settings, ready for :meth:`begin`.

    :ivar agents: new agents of the client, with their pool; ``None`` to keep the
        current ones.
    :ivar is_same: upstream and credentials are unchanged.
    """

    cache: Cache
    agents: tuple[UpstreamAgents, KeepAlivePool] | None
    is_same: bool

    def begin(self, context: Context) -> None:
        """Apply the settings; current fills continue."""
        proxy, cache = context.config.proxy, self.cache
        cache.fills.limit(proxy.stalltimeout, proxy.maxfills)
        if self.agents is not None:
            agents, pool = self.agents
            cache.client.use(agents)
            cache.preload.renew(pool, _uses_credentials(proxy))
        if not self.is_same:
            cache.fills.forget()
        context.metrics.rename(upstream_name(proxy))


def next_cache(
    context: Context, cache: Cache, before: Proxy, files: TlsFiles
) -> NextCache | None:
    """Prepare other settings of a cache; ``None`` if nothing has changed.

    :param context: has the new configuration.
    :param before: the current settings.
    :param files: the current content of the files of ``proxy.tls``.
    :raise ValueError: the configuration cannot be used.
    """
    proxy = context.config.proxy
    # The credentials of a helper may have changed although the configuration has not.
    same_agents = (
        _asked_by(proxy) == _asked_by(before)
        and files == cache.files
        and not proxy.exec.command
    )
    if proxy == before and same_agents:
        return None
    is_same = _identity(proxy) == _identity(before) and files == cache.files
    policy = TagPolicy(proxy.tagttl, proxy.maxstale)
    namespace = cache.namespace.renewed(policy, proxy.recheck, is_same, _mark(proxy))
    return NextCache(
        attrs.evolve(cache, namespace=namespace, files=files),
        None if same_agents else _agents(context, files),
        is_same,
    )


def _asked_by(proxy: Proxy) -> Proxy:
    """Return the settings with those neutralized that the agents do not use."""
    nothing = Duration(0.0)
    return attrs.evolve(
        proxy,
        ttl=nothing,
        tagttl=nothing,
        maxstale=None,
        recheck=nothing,
        stalltimeout=nothing,
        maxfills=1,
    )


def _mark(proxy: Proxy) -> str:
    """Give a short text for an upstream and its user, the same at each process."""
    whose = repr((proxy.remoteurl, proxy.username, proxy.exec.command))
    return hashlib.sha256(whose.encode("utf-8")).hexdigest()[:16]


def _identity(proxy: Proxy) -> tuple[object, ...]:
    return proxy.remoteurl, proxy.username, proxy.password, proxy.exec
