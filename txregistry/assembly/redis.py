"""The redis that caches descriptors."""

from __future__ import annotations

from typing import Any

from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint

from txregistry.assembly.pemfiles import redis_tls_files
from txregistry.config.fields import host_and_port
from txregistry.config.model import Config
from txregistry.config.redis import RedisSection
from txregistry.flow.redis.client import CONNECTIONS, Redis, RedisSettings
from txregistry.remote.transport import UpstreamPolicy


def make_redis(config: Config, reactor: Any) -> Redis | None:
    """Make the client of redis, if descriptors are cached there."""
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


def _redis_endpoint(redis: RedisSection, reactor: Any) -> IStreamClientEndpoint:
    host, port = host_and_port(redis.addrs[0])
    plain = HostnameEndpoint(reactor, host, port, redis.dialtimeout or 5.0)
    if not (redis.tls.certificate or redis.tls.rootcas):
        return plain
    policy = UpstreamPolicy(redis_tls_files(redis))
    creator = policy.creatorForNetloc(host.encode("idna"), port)
    return wrapClientTLS(creator, plain)
