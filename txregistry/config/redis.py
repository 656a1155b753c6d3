"""``redis``: the keys of distribution 2 and of distribution 3."""

from __future__ import annotations

from typing import Any

import attrs

from txregistry.config.declare import (
    file_path,
    from_file,
    no_effect,
    secret,
    section,
    setting,
)
from txregistry.config.fields import Duration

_POOL = "connections are kept open, and each answers many questions at a time"
_AGAIN = "no request is retried: without an answer the storage is read"
_CLUSTER = "one server is asked"
_PROTOCOL = "commands are those that every version of redis has"


def _ignored(why: str) -> Any:
    return no_effect(why, "Setting of the client library of distribution 3.", "3.0")


@attrs.frozen
class RedisPool:
    """``redis.pool``, of distribution 2."""

    maxidle: object = no_effect(
        _POOL, "Maximum number of idle connections.", "2.0", until="2.8"
    )
    maxactive: int = setting(
        0, "Connections.", "2.0", until="2.8", newer="redis.poolsize"
    )
    idletimeout: object = no_effect(
        _POOL, "When idle connections are closed.", "2.0", until="2.8"
    )


@attrs.frozen
class RedisTls:
    """``redis.tls``; ``clientcas`` was called ``rootcas`` in 3.0."""

    certificate: str = file_path("", "File with the client certificate, in PEM.", "3.0")
    key: str = file_path("", "File with its private key, in PEM.", "3.0")
    rootcas: tuple[str, ...] = file_path(
        (),
        "Files with the certificate authorities of the server; with one, TLS is used.",
        "3.1",
    )
    clientcas: tuple[str, ...] = file_path(
        (), "Added to that list.", "3.0", until="3.0", newer="redis.tls.rootcas"
    )


@attrs.frozen
class RedisSection:
    """``redis``."""

    addr: str = setting("", "host:port.", "2.0", until="2.8", newer="redis.addrs")
    addrs: tuple[str, ...] = setting(
        (),
        "Address of the server, as host:port; exactly one, which accepts writes. With "
        "mastername, the addresses of Sentinel, one or more.",
        "3.0",
    )
    username: str = from_file(
        "", "User name, for servers with access control lists.", "3.0"
    )
    password: str = secret("", "Password.", "2.0")
    db: int = setting(0, "Number of the database.", "2.0")
    dialtimeout: Duration = setting(Duration(5.0), "Maximum time to connect.", "2.0")
    readtimeout: Duration = setting(
        Duration(3.0),
        "Maximum time to wait for a reply before the storage is read instead.",
        "2.0",
    )
    writetimeout: object = no_effect(
        "an answer has to come within readtimeout",
        "Maximum duration of a write.",
        "2.0",
    )
    pool: RedisPool = section(RedisPool, "Connections.", "2.0", until="2.8")
    tls: RedisTls = section(RedisTls, "TLS to the server.", "3.0")
    poolsize: int = setting(
        0, "Number of connections; 0 for the default.", "3.0", unit="connections"
    )
    mastername: str = setting(
        "",
        "Name of a group whose master Sentinel knows, at the addresses of addrs.",
        "3.0",
    )
    sentinelusername: str = from_file("", "User name at Sentinel.", "3.0")
    sentinelpassword: str = secret("", "Password at Sentinel.", "3.0")
    contexttimeoutenabled: object = _ignored(_AGAIN)
    pooltimeout: object = _ignored(_POOL)
    poolfifo: object = _ignored(_POOL)
    minidleconns: object = _ignored(_POOL)
    maxidleconns: object = _ignored(_POOL)
    maxactiveconns: object = _ignored(_POOL)
    connmaxidletime: object = _ignored(_POOL)
    connmaxlifetime: object = _ignored(_POOL)
    protocol: object = _ignored(_PROTOCOL)
    clientname: object = _ignored(_PROTOCOL)
    maxretries: object = _ignored(_AGAIN)
    minretrybackoff: object = _ignored(_AGAIN)
    maxretrybackoff: object = _ignored(_AGAIN)
    maxredirects: object = _ignored(_CLUSTER)
    readonly: object = _ignored(_CLUSTER)
    routebylatency: object = _ignored(_CLUSTER)
    routerandomly: object = _ignored(_CLUSTER)
    disableidentity: object = _ignored(_PROTOCOL)
    identitysuffix: object = _ignored(_PROTOCOL)
    unstableresp3: object = _ignored(_PROTOCOL)
