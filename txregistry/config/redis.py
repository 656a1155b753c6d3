"""``redis``: the keys of distribution 2 and 3. None is asked here; see ``remarks``."""

from __future__ import annotations

import attrs

from txregistry.config.fields import Duration, no_effect, secret, section

_UNUSED = "no redis is asked: descriptors are remembered in memory"


@attrs.frozen
class RedisPool:
    """``redis.pool``, of distribution 2."""

    maxidle: int = 0
    maxactive: int = 0
    idletimeout: Duration = Duration(0.0)


@attrs.frozen
class RedisTls:
    """``redis.tls``; ``clientcas`` is what 3.0 called ``rootcas``."""

    certificate: str = ""
    key: str = ""
    rootcas: tuple[str, ...] = ()
    clientcas: tuple[str, ...] = ()


@attrs.frozen
class Redis:
    """``redis``: the keys of distribution 2 and of distribution 3."""

    addr: str = ""
    addrs: tuple[str, ...] = ()
    username: str = ""
    password: str = secret()
    db: int = 0
    dialtimeout: Duration = Duration(5.0)
    readtimeout: Duration = Duration(3.0)
    writetimeout: Duration = Duration(3.0)
    pool: RedisPool = section(RedisPool)
    tls: RedisTls = section(RedisTls)
    poolsize: int = 0
    mastername: str = ""
    sentinelusername: str = ""
    sentinelpassword: str = secret()
    contexttimeoutenabled: object = no_effect(_UNUSED)
    pooltimeout: object = no_effect(_UNUSED)
    poolfifo: object = no_effect(_UNUSED)
    minidleconns: object = no_effect(_UNUSED)
    maxidleconns: object = no_effect(_UNUSED)
    maxactiveconns: object = no_effect(_UNUSED)
    connmaxidletime: object = no_effect(_UNUSED)
    connmaxlifetime: object = no_effect(_UNUSED)
    protocol: object = no_effect(_UNUSED)
    clientname: object = no_effect(_UNUSED)
    maxretries: object = no_effect(_UNUSED)
    minretrybackoff: object = no_effect(_UNUSED)
    maxretrybackoff: object = no_effect(_UNUSED)
    maxredirects: object = no_effect(_UNUSED)
    readonly: object = no_effect(_UNUSED)
    routebylatency: object = no_effect(_UNUSED)
    routerandomly: object = no_effect(_UNUSED)
    disableidentity: object = no_effect(_UNUSED)
    identitysuffix: object = no_effect(_UNUSED)
    unstableresp3: object = no_effect(_UNUSED)
