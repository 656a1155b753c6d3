"""The redis that caches descriptors, and that nodes of one storage share."""

from __future__ import annotations

from functools import partial
from typing import Any

from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint

from txregistry.assembly.pemfiles import redis_tls_files
from txregistry.config.fields import host_and_port
from txregistry.config.model import Config
from txregistry.config.redis import RedisSection
from txregistry.flow.redis.client import CONNECTIONS, Redis, RedisSettings
from txregistry.flow.redis.sentinel import SentinelEndpoint
from txregistry.remote.transport import UpstreamPolicy

#: Maximum seconds to connect to one process of Sentinel, and for its answer.
SENTINEL_SECONDS = 1.0


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
    if not redis.mastername:
        return _server(redis, reactor, *host_and_port(redis.addrs[0]))
    return SentinelEndpoint(
        redis.mastername,
        lambda: [_sentinel(redis, reactor, address) for address in redis.addrs],
        partial(_server, redis, reactor),
    )


def _sentinel(redis: RedisSection, reactor: Any, address: str) -> Redis:
    settings = RedisSettings(
        redis.sentinelusername, redis.sentinelpassword, 0, 1, SENTINEL_SECONDS
    )
    return Redis(_server(redis, reactor, *host_and_port(address)), settings, reactor)


def _server(
    redis: RedisSection, reactor: Any, host: str, port: int
) -> IStreamClientEndpoint:
    plain = HostnameEndpoint(reactor, host, port, redis.dialtimeout or 5.0)
    if not (redis.tls.certificate or redis.tls.rootcas):
        return plain
    policy = UpstreamPolicy(redis_tls_files(redis))
    creator = policy.creatorForNetloc(host.encode("idna"), port)
    return wrapClientTLS(creator, plain)
