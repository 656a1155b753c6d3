"""Every key of the configuration, as frozen values with their defaults.

The names are those of Docker distribution 2.1 to 3.1; our own keys are at the end of
each section and have names that distribution does not use. A section that is typed as
``object`` is known and accepted as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from txregistry.config.access import Auth
from txregistry.config.fields import Duration, from_file, no_effect, secret, section
from txregistry.config.health import HealthSection
from txregistry.config.http import Http
from txregistry.config.notifications import Notifications
from txregistry.config.redis import RedisSection
from txregistry.config.storage import Storage


@attrs.frozen
class AccessLogSection:
    """``log.accesslog``."""

    disabled: bool = False


@attrs.frozen
class Log:
    """``log``."""

    level: str = "info"
    formatter: str = "text"
    fields: Mapping[str, str] = attrs.field(factory=dict)
    accesslog: AccessLogSection = section(AccessLogSection)
    reportcaller: object = no_effect("events name their source by namespace")
    hooks: object = no_effect("let whoever collects the log send mail")


@attrs.frozen
class Catalog:
    """``catalog``."""

    maxentries: int = 1000
    strict: bool = False


@attrs.frozen
class Tags:
    """``tags``."""

    maxtags: int = 1000


@attrs.frozen
class UrlsSection:
    """``validation.manifests.urls``: regular expressions."""

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()


@attrs.frozen
class PlatformSection:
    """``validation.manifests.indexes.platformlist[]``."""

    architecture: str
    os: str


@attrs.frozen
class Indexes:
    """``validation.manifests.indexes``: which children must exist."""

    platforms: str = "all"
    platformlist: tuple[PlatformSection, ...] = ()


@attrs.frozen
class ManifestsSection:
    """``validation.manifests``."""

    urls: UrlsSection = section(UrlsSection)
    indexes: Indexes = section(Indexes)


@attrs.frozen
class Validation:
    """``validation``."""

    disabled: bool = False
    enabled: bool | None = None
    manifests: ManifestsSection = section(ManifestsSection)


@attrs.frozen
class RepositoryPolicy:
    """``policy.repository``."""

    classes: tuple[str, ...] = ()


@attrs.frozen
class Policy:
    """``policy``."""

    repository: RepositoryPolicy = section(RepositoryPolicy)


@attrs.frozen
class Schema1:
    """``compatibility.schema1``."""

    enabled: bool = False
    disablesignaturestore: bool = False
    signingkeyfile: str = no_effect(
        "manifests are never converted, so none is signed", ""
    )
    trustkey: str = no_effect("manifests are never converted, so none is signed", "")


@attrs.frozen
class Compatibility:
    """``compatibility``."""

    schema1: Schema1 = section(Schema1)


@attrs.frozen
class Exec:
    """``proxy.exec``: a docker-credential-helper command."""

    command: str = ""
    lifetime: Duration | None = None


@attrs.frozen
class UpstreamTls:
    """``proxy.tls``: the upstream's authorities, and our client certificate."""

    ca: str = ""
    certificate: str = ""
    key: str = ""
    insecure: bool = False


@attrs.frozen
class Proxy:
    """``proxy``: the cached upstream; without ``remoteurl`` there is no cache."""

    remoteurl: str = ""
    username: str = from_file()
    password: str = secret()
    ttl: Duration = Duration(168 * 3600.0)
    exec: Exec = section(Exec)
    cachewritetimeout: object = no_effect("a fill may take as long as it moves")
    tagttl: Duration = Duration(60.0)
    maxstale: Duration | None = None
    recheck: Duration = Duration(0.0)
    trustedrealms: tuple[str, ...] = ()
    trustedtargets: tuple[str, ...] = ()
    connecttimeout: Duration = Duration(10.0)
    firstbytetimeout: Duration = Duration(20.0)
    idletimeout: Duration = Duration(30.0)
    stalltimeout: Duration = Duration(90.0)
    maxconnections: int = 16
    maxfills: int = 32
    useragent: str = ""
    tls: UpstreamTls = section(UpstreamTls)


@attrs.frozen
class Config:
    """The whole configuration."""

    version: str
    storage: Storage
    log: Log = section(Log)
    loglevel: str = ""
    http: Http = section(Http)
    proxy: Proxy = section(Proxy)
    auth: Auth = section(Auth)
    middleware: object = no_effect("blobs are served by this process itself")
    notifications: Notifications = section(Notifications)
    redis: RedisSection = section(RedisSection)
    health: HealthSection = section(HealthSection)
    catalog: Catalog = section(Catalog)
    tags: Tags = section(Tags)
    validation: Validation = section(Validation)
    policy: Policy = section(Policy)
    compatibility: Compatibility = section(Compatibility)
    reporting: object = no_effect("reports go to the log only")
