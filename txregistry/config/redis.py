"""``redis``: the keys of distribution 2 and of distribution 3."""

from __future__ import annotations

import attrs

from txregistry.config.fields import Duration, from_file, no_effect, secret, section

_POOL = "connections are kept open, and each answers many questions at a time"
_AGAIN = "no request is retried: without an answer the storage is read"
_CLUSTER = "one server is asked"
_PROTOCOL = "commands are those that every version of redis has"


@attrs.frozen
class RedisPool:
    """``redis.pool``, of distribution 2."""

    maxidle: object = no_effect(_POOL)
    maxactive: int = 0
    idletimeout: object = no_effect(_POOL)


@attrs.frozen
class RedisTls:
    """``redis.tls``; ``clientcas`` was called ``rootcas`` in 3.0."""

    certificate: str = ""
    key: str = ""
    rootcas: tuple[str, ...] = ()
    clientcas: tuple[str, ...] = ()


@attrs.frozen
class RedisSection:
    """``redis``.

    :ivar addrs: ``host:port``; exactly one.
    :ivar poolsize: connections; 0 for the default.
    """

    addr: str = ""
    addrs: tuple[str, ...] = ()
    username: str = from_file()
    password: str = secret()
    db: int = 0
    dialtimeout: Duration = Duration(5.0)
    readtimeout: Duration = Duration(3.0)
    writetimeout: object = no_effect("an answer has to come within readtimeout")
    pool: RedisPool = section(RedisPool)
    tls: RedisTls = section(RedisTls)
    poolsize: int = 0
    mastername: str = ""
    sentinelusername: str = from_file()
    sentinelpassword: str = secret()
    contexttimeoutenabled: object = no_effect(_AGAIN)
    pooltimeout: object = no_effect(_POOL)
    poolfifo: object = no_effect(_POOL)
    minidleconns: object = no_effect(_POOL)
    maxidleconns: object = no_effect(_POOL)
    maxactiveconns: object = no_effect(_POOL)
    connmaxidletime: object = no_effect(_POOL)
    connmaxlifetime: object = no_effect(_POOL)
    protocol: object = no_effect(_PROTOCOL)
    clientname: object = no_effect(_PROTOCOL)
    maxretries: object = no_effect(_AGAIN)
    minretrybackoff: object = no_effect(_AGAIN)
    maxretrybackoff: object = no_effect(_AGAIN)
    maxredirects: object = no_effect(_CLUSTER)
    readonly: object = no_effect(_CLUSTER)
    routebylatency: object = no_effect(_CLUSTER)
    routerandomly: object = no_effect(_CLUSTER)
    disableidentity: object = no_effect(_PROTOCOL)
    identitysuffix: object = no_effect(_PROTOCOL)
    unstableresp3: object = no_effect(_PROTOCOL)
