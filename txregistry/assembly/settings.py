"""Turn sections of the configuration into what the rooms ask for."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from treq.client import HTTPClient
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.web.client import Agent

from txregistry.config.fields import host_and_port
from txregistry.config.health import HealthSection, HttpHealth
from txregistry.config.model import Config, Proxy
from txregistry.config.redis import RedisSection as RedisConfig
from txregistry.config.storage import UploadPurgingSection
from txregistry.daemon.secret import Secret
from txregistry.health.checks import Check
from txregistry.health.probes import file_probe, http_probe, storage_probe, tcp_probe
from txregistry.interfaces.driver import IStorageDriver
from txregistry.remote.origin import Origin
from txregistry.remote.transport import TlsFiles, UpstreamPolicy
from txregistry.spec.descriptor import Platform
from txregistry.spec.gate import Gate
from txregistry.spec.manifest.push import PushPolicy
from txregistry.spec.weburl import Target
from txregistry.storage.caches.redis import CONNECTIONS, Redis, RedisSettings
from txregistry.storage.tree import layout
from txregistry.web.api import ApiSettings
from txregistry.web.http.channels import ChannelLimits
from txregistry.web.urls import Urls

#: Seconds between two looks, and that one may take, where 0 is configured.
_HEALTH_SECONDS = 10.0

#: Seconds that the storage may take to answer a health check.
_STORAGE_SECONDS = 10.0


def api_settings(config: Config, secret: Callable[[], bytes]) -> ApiSettings:
    """Say how the API is to behave.

    :param secret: is asked for each time; see :class:`ApiSettings`.
    """
    http = config.http
    prefix = http.prefix.strip("/")
    return ApiSettings(
        secret=secret,
        urls=Urls(
            http.host,
            f"/{prefix}" if prefix else "",
            http.relativeurls,
        ),
        gate=Gate(
            bool(config.proxy.remoteurl),
            config.storage.maintenance.readonly.enabled,
            config.storage.delete.enabled,
        ),
        policy=push_policy(config),
        max_upload_bytes=http.limits.uploadbytes,
        max_uploads_of_one=http.limits.uploads.peruser,
        max_uploads=http.limits.uploads.total,
        upload_lifetime=_upload_lifetime(config.storage.maintenance.uploadpurging),
        max_tags=config.tags.maxtags,
        max_repositories=config.catalog.maxentries,
        strict_catalog=config.catalog.strict,
    )


def _upload_lifetime(purging: UploadPurgingSection) -> float:
    is_purged = purging.enabled and not purging.dryrun
    return float(purging.age) if is_purged else 0.0


def make_secret(config: Config) -> Secret:
    """Make what keeps a secret if the configuration gives none."""
    # A cache seals nothing.
    path = "" if config.proxy.remoteurl else own_path(config, "secret", "")
    return Secret(config.http.secret.encode("utf-8"), path)


def make_redis(config: Config, reactor: Any) -> Redis | None:
    """Make what remembers descriptors, where that is to be redis."""
    if config.storage.cache.blobdescriptor != "redis":
        return None
    redis = config.redis
    settings = RedisSettings(
        redis.username,
        redis.password,
        redis.db,
        redis.poolsize or CONNECTIONS,
        redis.readtimeout or 3.0,
    )
    return Redis(_redis_endpoint(redis, reactor), settings, reactor)


def _redis_endpoint(redis: RedisConfig, reactor: Any) -> IStreamClientEndpoint:
    host, port = host_and_port(redis.addrs[0])
    plain = HostnameEndpoint(reactor, host, port, redis.dialtimeout or 5.0)
    if not (redis.tls.certificate or redis.tls.rootcas):
        return plain
    policy = UpstreamPolicy(redis_tls_files(redis))
    creator = policy.creatorForNetloc(host.encode("idna"), port)
    return wrapClientTLS(creator, plain)


def redis_tls_files(redis: RedisConfig) -> TlsFiles:
    """Read how redis is verified, and who we are to it.

    :raise OSError: a file cannot be read.
    """
    return TlsFiles(
        b"".join(_read(path) for path in redis.tls.rootcas),
        _read(redis.tls.certificate),
        _read(redis.tls.key),
    )


def push_policy(config: Config) -> PushPolicy:
    """Say which manifests are taken."""
    manifests = config.validation.manifests
    return PushPolicy(
        config.validation.disabled,
        manifests.urls.allow,
        manifests.urls.deny,
        manifests.indexes.platforms,
        frozenset(
            Platform(item.architecture, item.os)
            for item in manifests.indexes.platformlist
        ),
        config.policy.repository.classes,
        config.compatibility.schema1.enabled,
    )


def channel_limits(config: Config) -> ChannelLimits:
    """Say what one connection may take."""
    limits = config.http.limits
    return ChannelLimits(
        limits.headerbytes,
        limits.headertime,
        limits.idletime,
        limits.stalltime,
        limits.connections,
        limits.streams,
        limits.minrate,
    )


def health_checks(
    health: HealthSection, driver: IStorageDriver, reactor: Any
) -> Sequence[Check]:
    """Say what is to be looked at."""
    clock: IReactorTime = reactor
    checks = []
    storage = health.storagedriver
    if storage.enabled:
        name = f"storagedriver_{driver.name}"
        checks.append(
            Check(
                name,
                storage_probe(driver),
                storage.interval or _HEALTH_SECONDS,
                storage.threshold,
                _STORAGE_SECONDS,
                clock,
            )
        )
    checks += [
        Check(
            item.file,
            file_probe(item.file),
            item.interval or _HEALTH_SECONDS,
            item.threshold,
            5.0,
            clock,
        )
        for item in health.file
    ]
    client = HTTPClient(Agent(reactor))
    checks += [_http_check(client, item, clock) for item in health.http]
    checks += [
        Check(
            item.addr,
            tcp_probe(_endpoint(reactor, item.addr)),
            item.interval or _HEALTH_SECONDS,
            item.threshold,
            item.timeout or _HEALTH_SECONDS,
            clock,
        )
        for item in health.tcp
    ]
    return checks


def _http_check(client: HTTPClient, item: HttpHealth, clock: IReactorTime) -> Check:
    # It is named in the log and on the debug listener.
    target = Target.of(item.uri)
    return Check(
        target.shown,
        http_probe(client, target.url, target.headers(item.headers), item.statuscode),
        item.interval or _HEALTH_SECONDS,
        item.threshold,
        item.timeout or _HEALTH_SECONDS,
        clock,
    )


def _endpoint(reactor: Any, address: str) -> HostnameEndpoint:
    host, port = host_and_port(address)
    return HostnameEndpoint(reactor, host.encode("ascii"), port)


def own_path(config: Config, name: str, elsewhere: str = ":memory:") -> str:
    """Say where a file of ours lies: beside what it is about.

    :param elsewhere: is given where the storage is no directory.
    """
    if config.storage.driver != "filesystem":
        return elsewhere
    root = str(config.storage.parameters.get("rootdirectory", "/var/lib/registry"))
    return os.path.abspath(root) + f"{layout.OWN}/{name}"


def upstream_name(proxy: Proxy) -> str:
    """Name the upstream in figures: its host and port, or nothing without one."""
    return Origin.of(proxy.remoteurl).authority if proxy.remoteurl else ""


def read_tls_files(proxy: Proxy) -> TlsFiles:
    """Read how an upstream is verified, and who we are to it.

    :raise OSError: a file cannot be read.
    """
    return TlsFiles(
        _read(proxy.tls.ca),
        _read(proxy.tls.certificate),
        _read(proxy.tls.key),
        proxy.tls.insecure,
    )


def _read(path: str) -> bytes:
    if not path:
        return b""
    with open(path, "rb") as file:
        return file.read()
