"""Older names of keys: their values are moved to the newer names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import attrs

from txregistry.config.middleware import StorageItem
from txregistry.config.model import Config
from txregistry.config.notifications import EndpointSection
from txregistry.config.redis import RedisSection

_MISSPELT = "updatefrenquency"


def apply_aliases(config: Config) -> Config:
    """Give the configuration in its newest form."""
    config = _endpoints(_redis(_validation(_layerinfo(_loglevel(config)))))
    return _middleware(config)


def _loglevel(config: Config) -> Config:
    if not config.loglevel or config.log != attrs.evolve(config.log, level="info"):
        return config
    return attrs.evolve(config, log=attrs.evolve(config.log, level=config.loglevel))


def _layerinfo(config: Config) -> Config:
    cache = config.storage.cache
    if not cache.layerinfo or cache.blobdescriptor:
        return config
    cache = attrs.evolve(cache, blobdescriptor=cache.layerinfo)
    return attrs.evolve(config, storage=attrs.evolve(config.storage, cache=cache))


def _validation(config: Config) -> Config:
    if config.validation.enabled is not False:
        return config
    return attrs.evolve(
        config, validation=attrs.evolve(config.validation, disabled=True)
    )


def _redis(config: Config) -> Config:
    redis = config.redis
    tls = attrs.evolve(redis.tls, rootcas=redis.tls.rootcas + redis.tls.clientcas)
    modern: RedisSection = attrs.evolve(
        redis,
        addrs=redis.addrs or ((redis.addr,) if redis.addr else ()),
        poolsize=redis.poolsize or redis.pool.maxactive,
        tls=tls,
    )
    return attrs.evolve(config, redis=modern)


def _middleware(config: Config) -> Config:
    storage = tuple(_options(item) for item in config.middleware.storage)
    middleware = attrs.evolve(config.middleware, storage=storage)
    return attrs.evolve(config, middleware=middleware)


def _options(item: StorageItem) -> StorageItem:
    """Take the interval of cloudfront by the name that distribution 2 misspelt."""
    options = cast("Mapping[str, object]", item.options or {})
    older = options.get(_MISSPELT)
    if item.name != "cloudfront" or older is None:
        return item
    modern = {**options, "updatefrequency": older, _MISSPELT: None}
    return attrs.evolve(item, options=modern)


def _endpoints(config: Config) -> Config:
    endpoints = tuple(_ignore(endpoint) for endpoint in config.notifications.endpoints)
    notifications = attrs.evolve(config.notifications, endpoints=endpoints)
    return attrs.evolve(config, notifications=notifications)


def _ignore(endpoint: EndpointSection) -> EndpointSection:
    mediatypes = endpoint.ignore.mediatypes + endpoint.ignoredmediatypes
    ignore = attrs.evolve(endpoint.ignore, mediatypes=mediatypes)
    return attrs.evolve(endpoint, ignore=ignore, ignoredmediatypes=())
