"""Every key of the configuration, as frozen values with their defaults.

The names are those of Docker distribution 2.1 to 3.1; keys of ours stand at the end
of each section and have names that distribution does not use. A section that is
typed as ``object`` is known and accepted as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from txregistry.config.fields import NO_EFFECT, Duration, no_effect, secret


def _section(cls: type) -> Any:
    return attrs.field(factory=cls)


def _idle_section(cls: type) -> Any:
    """Declare a section that is about pushes and deletes, which come later."""
    return attrs.field(factory=cls, metadata={NO_EFFECT: True})


@attrs.frozen
class AccessLog:
    """``log.accesslog``."""

    disabled: bool = False


@attrs.frozen
class Log:
    """``log``."""

    level: str = "info"
    formatter: str = "text"
    fields: Mapping[str, str] = attrs.field(factory=dict)
    accesslog: AccessLog = _section(AccessLog)
    reportcaller: object = no_effect()
    hooks: object = no_effect()


@attrs.frozen
class DescriptorCache:
    """``storage.cache``."""

    blobdescriptor: str = ""
    layerinfo: str = ""
    blobdescriptorsize: int = 10000


@attrs.frozen
class Delete:
    """``storage.delete``."""

    enabled: bool = False


@attrs.frozen
class Redirect:
    """``storage.redirect``; no driver of this release can redirect."""

    disable: bool = False


@attrs.frozen
class ReadOnly:
    """``storage.maintenance.readonly``."""

    enabled: bool = False


@attrs.frozen
class Maintenance:
    """``storage.maintenance``."""

    uploadpurging: object = no_effect()
    readonly: ReadOnly = _section(ReadOnly)


@attrs.frozen
class Storage:
    """``storage``: one driver and what goes for all of them."""

    driver: str
    parameters: Mapping[str, object] = attrs.field(factory=dict)
    cache: DescriptorCache = _section(DescriptorCache)
    delete: Delete = _idle_section(Delete)
    redirect: Redirect = _idle_section(Redirect)
    maintenance: Maintenance = _idle_section(Maintenance)
    tag: object = no_effect()


@attrs.frozen
class Tls:
    """``http.tls``."""

    certificate: str = ""
    key: str = ""
    clientcas: tuple[str, ...] = ()
    clientauth: object = no_effect()
    minimumtls: object = no_effect()
    ciphersuites: object = no_effect()
    letsencrypt: object = no_effect()


@attrs.frozen
class Prometheus:
    """``http.debug.prometheus``."""

    enabled: bool = False
    path: str = "/metrics"


@attrs.frozen
class Debug:
    """``http.debug``."""

    addr: str = ""
    prometheus: Prometheus = _section(Prometheus)


@attrs.frozen
class Http:
    """``http``."""

    addr: str = "127.0.0.1:5000"
    net: str = "tcp"
    host: str = no_effect("")
    prefix: str = ""
    secret: str = secret()
    relativeurls: bool = no_effect(False)
    draintimeout: Duration = Duration(10.0)
    headers: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    tls: Tls = _section(Tls)
    debug: Debug = _section(Debug)
    http2: object = no_effect()
    h2c: object = no_effect()


@attrs.frozen
class Exec:
    """``proxy.exec``: a docker-credential-helper command."""

    command: str = ""
    lifetime: Duration | None = None


@attrs.frozen
class UpstreamTls:
    """``proxy.tls``: how the upstream's TLS is verified, and who we are to it."""

    ca: str = ""
    certificate: str = ""
    key: str = ""
    insecure: bool = False


@attrs.frozen
class Proxy:
    """``proxy``: the upstream that is cached; no ``remoteurl``, no cache."""

    remoteurl: str = ""
    username: str = ""
    password: str = secret()
    ttl: Duration = Duration(168 * 3600.0)
    exec: Exec = _section(Exec)
    cachewritetimeout: object = no_effect()
    tagttl: Duration = Duration(60.0)
    maxstale: Duration | None = None
    trustedrealms: tuple[str, ...] = ()
    connecttimeout: Duration = Duration(10.0)
    firstbytetimeout: Duration = Duration(20.0)
    idletimeout: Duration = Duration(30.0)
    tls: UpstreamTls = _section(UpstreamTls)


@attrs.frozen
class Config:
    """The whole configuration."""

    version: str
    storage: Storage
    log: Log = _section(Log)
    loglevel: str = ""
    http: Http = _section(Http)
    proxy: Proxy = _section(Proxy)
    auth: object = no_effect()
    middleware: object = no_effect()
    notifications: object = no_effect()
    redis: object = no_effect()
    health: object = no_effect()
    catalog: object = no_effect()
    tags: object = no_effect()
    validation: object = no_effect()
    policy: object = no_effect()
    compatibility: object = no_effect()
    reporting: object = no_effect()
