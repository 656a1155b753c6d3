"""Every key of the configuration, as frozen values with their defaults.

The names are those of Docker distribution 2.1 to 3.1; keys of ours stand at the end
of each section and have names that distribution does not use. A section that is
typed as ``object`` is known and accepted as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from txregistry.config.fields import Duration, no_effect, secret


def _section(cls: type) -> Any:
    return attrs.field(factory=cls)


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
    reportcaller: object = no_effect("events name their source by namespace")
    hooks: object = no_effect("let whoever collects the log send mail")


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
class UploadPurging:
    """``storage.maintenance.uploadpurging``: what becomes of uploads left alone."""

    enabled: bool = True
    age: Duration = Duration(168 * 3600.0)
    interval: Duration = Duration(24 * 3600.0)
    dryrun: bool = False


@attrs.frozen
class Maintenance:
    """``storage.maintenance``."""

    uploadpurging: UploadPurging = _section(UploadPurging)
    readonly: ReadOnly = _section(ReadOnly)


@attrs.frozen
class ResumableDigest:
    """``storage.resumabledigest``: hash states beside an upload."""

    enabled: bool = True


@attrs.frozen
class Storage:
    """``storage``: one driver and what goes for all of them."""

    driver: str
    parameters: Mapping[str, object] = attrs.field(factory=dict)
    cache: DescriptorCache = _section(DescriptorCache)
    delete: Delete = _section(Delete)
    redirect: Redirect = _section(Redirect)
    maintenance: Maintenance = _section(Maintenance)
    tag: object = no_effect("tags are looked up in an index, not by many reads")
    resumabledigest: ResumableDigest = _section(ResumableDigest)


@attrs.frozen
class Silly:
    """``auth.silly``: any credentials will do."""

    realm: str
    service: str


@attrs.frozen
class Htpasswd:
    """``auth.htpasswd``."""

    realm: str
    path: str


@attrs.frozen
class Token:
    """``auth.token``."""

    realm: str
    service: str
    issuer: str
    rootcertbundle: str = ""
    jwks: str = ""
    signingalgorithms: tuple[str, ...] = ()
    autoredirect: bool = False
    autoredirectpath: str = "/auth/token"


@attrs.frozen
class Auth:
    """``auth``: one access controller and its parameters.

    :ivar controller: its name; empty for none.
    """

    controller: str = ""
    parameters: Mapping[str, object] = attrs.field(factory=dict)


#: The parameters of the access controllers that come with the house.
CONTROLLERS: Mapping[str, type[Any]] = {
    "silly": Silly,
    "htpasswd": Htpasswd,
    "token": Token,
}


@attrs.frozen
class Tls:
    """``http.tls``."""

    certificate: str = ""
    key: str = ""
    clientcas: tuple[str, ...] = ()
    clientauth: str = "require-and-verify-client-cert"
    minimumtls: str = "tls1.2"
    ciphersuites: tuple[str, ...] = ()
    letsencrypt: Mapping[str, object] = attrs.field(factory=dict)


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
class Http2:
    """``http.http2``."""

    disabled: bool = False


@attrs.frozen
class H2c:
    """``http.h2c``: HTTP/2 without TLS, to clients that know of it."""

    enabled: bool = False


@attrs.frozen
class HttpLimits:
    """``http.limits``: what one client may take.

    :ivar headerbytes: of all headers of a request.
    :ivar headertime: from the first byte of a request's head to its last.
    :ivar idletime: without a byte from a client that is expected to send.
    :ivar connections: at once; further ones are closed.
    :ivar uploadbytes: of one blob; 0 for no limit.
    """

    headerbytes: int = 131072
    headertime: Duration = Duration(30.0)
    idletime: Duration = Duration(60.0)
    connections: int = 10000
    uploadbytes: int = 0


@attrs.frozen
class Http:
    """``http``."""

    addr: str = "127.0.0.1:5000"
    net: str = "tcp"
    host: str = ""
    prefix: str = ""
    secret: str = secret()
    relativeurls: bool = False
    draintimeout: Duration = Duration(10.0)
    headers: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    tls: Tls = _section(Tls)
    debug: Debug = _section(Debug)
    http2: Http2 = _section(Http2)
    h2c: H2c = _section(H2c)
    limits: HttpLimits = _section(HttpLimits)


@attrs.frozen
class Ignore:
    """``notifications.endpoints[].ignore``."""

    mediatypes: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()


@attrs.frozen
class Endpoint:
    """``notifications.endpoints[]``."""

    name: str
    url: str
    disabled: bool = False
    headers: Mapping[str, tuple[str, ...]] = attrs.field(
        factory=dict, metadata={"secret": True}
    )
    timeout: Duration = Duration(1.0)
    threshold: int = 10
    backoff: Duration = Duration(1.0)
    ignoredmediatypes: tuple[str, ...] = ()
    ignore: Ignore = _section(Ignore)


@attrs.frozen
class Events:
    """``notifications.events``."""

    includereferences: bool = False


@attrs.frozen
class Notifications:
    """``notifications``.

    :ivar queuelimit: events kept per endpoint; beyond it new ones are dropped.
    """

    events: Events = _section(Events)
    endpoints: tuple[Endpoint, ...] = ()
    queuelimit: int = 100_000


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
    pool: RedisPool = _section(RedisPool)
    tls: RedisTls = _section(RedisTls)
    poolsize: int = 0
    mastername: str = ""
    sentinelusername: str = ""
    sentinelpassword: str = secret()
    contexttimeoutenabled: object = no_effect("each question has a limit")
    pooltimeout: object = no_effect("no question waits for a connection")
    poolfifo: object = no_effect("connections take turns")
    minidleconns: object = no_effect("connections stay open")
    maxidleconns: object = no_effect("connections stay open")
    maxactiveconns: object = no_effect("poolsize says how many")
    connmaxidletime: object = no_effect("connections stay open")
    connmaxlifetime: object = no_effect("connections stay open")
    protocol: object = no_effect("RESP 2 is spoken")
    clientname: object = no_effect("connections have no names")
    maxretries: object = no_effect("storage answers instead")
    minretrybackoff: object = no_effect("storage answers instead")
    maxretrybackoff: object = no_effect("storage answers instead")
    maxredirects: object = no_effect("of clusters")
    readonly: object = no_effect("of clusters")
    routebylatency: object = no_effect("of clusters")
    routerandomly: object = no_effect("of clusters")
    disableidentity: object = no_effect("connections tell no identity")
    identitysuffix: object = no_effect("connections tell no identity")
    unstableresp3: object = no_effect("RESP 2 is spoken")


@attrs.frozen
class StorageHealth:
    """``health.storagedriver``."""

    enabled: bool = False
    interval: Duration = Duration(10.0)
    threshold: int = 0


@attrs.frozen
class FileHealth:
    """``health.file[]``: unhealthy while the file is there."""

    file: str
    interval: Duration = Duration(10.0)
    threshold: int = 0


@attrs.frozen
class HttpHealth:
    """``health.http[]``."""

    uri: str
    headers: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    statuscode: int = 200
    timeout: Duration = Duration(5.0)
    interval: Duration = Duration(10.0)
    threshold: int = 0


@attrs.frozen
class TcpHealth:
    """``health.tcp[]``."""

    addr: str
    timeout: Duration = Duration(5.0)
    interval: Duration = Duration(10.0)
    threshold: int = 0


@attrs.frozen
class Health:
    """``health``."""

    storagedriver: StorageHealth = _section(StorageHealth)
    file: tuple[FileHealth, ...] = ()
    http: tuple[HttpHealth, ...] = ()
    tcp: tuple[TcpHealth, ...] = ()


@attrs.frozen
class Catalog:
    """``catalog``."""

    maxentries: int = 1000


@attrs.frozen
class Tags:
    """``tags``."""

    maxtags: int = 1000


@attrs.frozen
class Urls:
    """``validation.manifests.urls``: regular expressions."""

    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()


@attrs.frozen
class Platform:
    """``validation.manifests.indexes.platformlist[]``."""

    architecture: str
    os: str


@attrs.frozen
class Indexes:
    """``validation.manifests.indexes``: which children have to be there."""

    platforms: str = "all"
    platformlist: tuple[Platform, ...] = ()


@attrs.frozen
class Manifests:
    """``validation.manifests``."""

    urls: Urls = _section(Urls)
    indexes: Indexes = _section(Indexes)


@attrs.frozen
class Validation:
    """``validation``."""

    disabled: bool = False
    enabled: bool | None = None
    manifests: Manifests = _section(Manifests)


@attrs.frozen
class RepositoryPolicy:
    """``policy.repository``."""

    classes: tuple[str, ...] = ()


@attrs.frozen
class Policy:
    """``policy``."""

    repository: RepositoryPolicy = _section(RepositoryPolicy)


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

    schema1: Schema1 = _section(Schema1)


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
    cachewritetimeout: object = no_effect("a fill may take as long as it moves")
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
    auth: Auth = _section(Auth)
    middleware: object = no_effect("blobs are served by this process itself")
    notifications: Notifications = _section(Notifications)
    redis: Redis = _section(Redis)
    health: Health = _section(Health)
    catalog: Catalog = _section(Catalog)
    tags: Tags = _section(Tags)
    validation: Validation = _section(Validation)
    policy: Policy = _section(Policy)
    compatibility: Compatibility = _section(Compatibility)
    reporting: object = no_effect("reports go to the log only")
