"""A cache: several upstreams and local repositories in front of one storage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import attrs
from twisted.application.service import MultiService

from txregistry.assembly.cache import (
    CachedUpstream,
    NextUpstream,
    Shared,
    build_upstream,
    next_upstream,
)
from txregistry.assembly.context import Context
from txregistry.assembly.pemfiles import read_tls_files
from txregistry.assembly.storage import LocalRegistry
from txregistry.assembly.upstreams import Owners, names_of, upstream_table, upstreams_of
from txregistry.config.cache import CacheSection
from txregistry.config.proxy import Proxy
from txregistry.daemon.upstreams import UpstreamKeys
from txregistry.interfaces.eviction import IRoom
from txregistry.interfaces.fills import IDownloadClaims
from txregistry.interfaces.namespace import INamespace
from txregistry.interfaces.scrub import IHealer
from txregistry.proxy.claims import OneNode
from txregistry.proxy.healing import Healer
from txregistry.proxy.passing import Passing
from txregistry.proxy.router import UpstreamRouter
from txregistry.remote.offline import OfflineSwitch
from txregistry.remote.transport import TlsFiles
from txregistry.spec.upstreams import DEFAULT, UpstreamTable

if TYPE_CHECKING:
    from txregistry.flow.redis.client import Redis

#: The content of the files of each upstream's ``tls``, by key.
Files = Mapping[str, TlsFiles]


@attrs.define(eq=False)
class Current:
    """What a reload changes, for work that goes on over it."""

    namespace: INamespace
    table: UpstreamTable
    upstreams: Mapping[str, CachedUpstream]


@attrs.frozen
class Cache:
    """A cache of all its upstreams, and its parts that a reload keeps."""

    namespace: INamespace
    upstreams: Mapping[str, CachedUpstream]
    shared: Shared
    services: MultiService
    keys: UpstreamKeys
    current: Current

    @property
    def files(self) -> Files:
        """Give what was in the files of each upstream."""
        return {key: upstream.files for key, upstream in self.upstreams.items()}

    def healer(self) -> IHealer:
        """Make what fetches damaged content again."""
        current = self.current
        return Healer(lambda: current.namespace, self.shared.local.content)

    def next(self, context: Context, files: Files) -> NextCache:
        """Prepare other settings.

        :param context: has the new configuration.
        :param files: the current content of the files of each upstream's ``tls``.
        :raise ValueError: the configuration cannot be used.
        """
        proxy = context.config.proxy
        changed, added = [], []
        for key, settings in upstreams_of(proxy).items():
            names, known = names_of(key, settings), self.upstreams.get(key)
            if known is None:
                added.append(
                    build_upstream(context, names, settings, files[key], self.shared)
                )
            else:
                changed.append(
                    next_upstream(
                        context,
                        known,
                        names,
                        settings,
                        files[key],
                        self.shared.offline,
                    )
                )
        upstreams = {item.names.key: item for item in _all(changed, added)}
        namespace, table = _namespace(proxy, self.shared, upstreams)
        removed = [item for key, item in self.upstreams.items() if key not in upstreams]
        return NextCache(
            attrs.evolve(self, namespace=namespace, upstreams=upstreams),
            tuple(changed),
            tuple(added),
            tuple(removed),
            table,
            proxy.offline,
            passes_through(context.config.cache),
        )


def build_cache(
    context: Context, local: LocalRegistry, redis: Redis | None, room: IRoom
) -> Cache:
    """Build the cache of a configuration; sends no request yet.

    :param room: on the disk, for downloads.
    :param redis: which nodes share, if others use the storage.
    :raise OSError: a file that the configuration names cannot be read.
    :raise ValueError: the configuration cannot be used.
    """
    services = MultiService()
    passing = Passing(passes_through(context.config.cache))
    proxy = context.config.proxy
    offline = OfflineSwitch(proxy.offline, context.metrics.offline)
    claims = _claims(context, local, redis, services)
    owners = Owners(upstream_table(proxy))
    shared = Shared(local, owners, claims, offline=offline, room=room, passing=passing)
    files = read_files(proxy)
    upstreams = {
        key: build_upstream(context, names_of(key, settings), settings, found, shared)
        for (key, settings), found in zip(
            upstreams_of(proxy).items(), files.values(), strict=True
        )
    }
    for upstream in upstreams.values():
        _adopt(services, upstream)
    keys = UpstreamKeys(local.driver, frozenset(proxy.upstreams), bool(proxy.remoteurl))
    keys.setServiceParent(services)
    current = Current(*_namespace(proxy, shared, upstreams), upstreams)
    return Cache(current.namespace, upstreams, shared, services, keys, current)


def passes_through(cache: CacheSection) -> bool:
    """Tell whether clients get what cannot be stored."""
    return cache.onfull == "passthrough"


def read_files(proxy: Proxy) -> Files:
    """Read the files of each upstream's ``tls``; blocks.

    :raise OSError: one cannot be read.
    """
    return {
        key: read_tls_files(upstream) for key, upstream in upstreams_of(proxy).items()
    }


def _claims(
    context: Context,
    local: LocalRegistry,
    redis: Redis | None,
    services: MultiService,
) -> IDownloadClaims:
    if redis is None or not local.driver.is_shared:
        return OneNode()
    from txregistry.proxy.redis_claims import RedisClaims

    claims = RedisClaims(redis, context.reactor)
    claims.setServiceParent(services)
    return claims


def _adopt(services: MultiService, upstream: CachedUpstream) -> None:
    for service in upstream.services:
        service.setServiceParent(services)


def _namespace(
    proxy: Proxy, shared: Shared, upstreams: Mapping[str, CachedUpstream]
) -> tuple[INamespace, UpstreamTable]:
    caches = {key: upstream.namespace for key, upstream in upstreams.items()}
    table = upstream_table(proxy)
    return UpstreamRouter(table, shared.local.namespace, caches), table


@attrs.frozen
class NextCache:
    """A cache with other settings, ready for :meth:`begin`.

    :ivar added: upstreams that are new.
    :ivar offline: whether the configuration has no upstream asked.
    :ivar passes_through: clients get what cannot be stored.
    """

    cache: Cache
    changed: tuple[NextUpstream, ...]
    added: tuple[CachedUpstream, ...]
    removed: tuple[CachedUpstream, ...]
    table: UpstreamTable
    offline: bool
    passes_through: bool

    def begin(self) -> None:
        """Apply the settings; current fills continue."""
        self.cache.shared.offline.follow(self.offline)
        self.cache.shared.owners.table = self.table
        self.cache.shared.passing.is_allowed = self.passes_through
        for upstream in self.changed:
            upstream.begin()
        for cached in self.removed:
            cached.retire()
        for cached in self.added:
            _adopt(self.cache.services, cached)
        current = self.cache.current
        current.namespace, current.table = self.cache.namespace, self.table
        current.upstreams = self.cache.upstreams
        keys = set(self.cache.upstreams)
        self.cache.keys.follow(keys - {DEFAULT}, DEFAULT in keys)


def _all(
    changed: list[NextUpstream], added: list[CachedUpstream]
) -> Iterator[CachedUpstream]:
    yield from (upstream.cache for upstream in changed)
    yield from added
