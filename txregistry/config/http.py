"""``http``: where the registry listens, and how."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from txregistry.config.fields import Duration, secret, section
from txregistry.spec.proxies import DEFAULT_NETWORKS


@attrs.frozen
class LetsEncrypt:
    """``http.tls.letsencrypt``: refused if switched on."""

    cachefile: str = ""
    email: str = ""
    hosts: tuple[str, ...] = ()
    directoryurl: str = ""


@attrs.frozen
class Tls:
    """``http.tls``."""

    certificate: str = ""
    key: str = ""
    clientcas: tuple[str, ...] = ()
    clientauth: str = "require-and-verify-client-cert"
    minimumtls: str = "tls1.2"
    ciphersuites: tuple[str, ...] = ()
    letsencrypt: LetsEncrypt = section(LetsEncrypt)


@attrs.frozen
class Prometheus:
    """``http.debug.prometheus``."""

    enabled: bool = False
    path: str = "/metrics"


@attrs.frozen
class DebugSection:
    """``http.debug``."""

    addr: str = ""
    prometheus: Prometheus = section(Prometheus)


@attrs.frozen
class Http2:
    """``http.http2``."""

    disabled: bool = False


@attrs.frozen
class H2c:
    """``http.h2c``: HTTP/2 without TLS, with clients that support it."""

    enabled: bool = False


@attrs.frozen
class UploadLimits:
    """``http.limits.uploads``: begun and not finished; 0 for no limit.

    :ivar peruser: of one user; without access control, of one address.
    :ivar total: of all.
    """

    peruser: int = 1000
    total: int = 10000


@attrs.frozen
class HttpLimits:
    """``http.limits``: limits of one client.

    :ivar headerbytes: of all headers of a request.
    :ivar headertime: from the first byte of a request's head to its last.
    :ivar idletime: without a byte from a client that is expected to send.
    :ivar stalltime: without a client reading any of the bytes sent to it.
    :ivar connections: at once; further ones are closed.
    :ivar uploadbytes: of one blob; 0 for no limit.
    :ivar streams: at once, of one connection of HTTP/2; further ones are refused.
    :ivar uploads: begun and not finished.
    :ivar minrate: of a body, in bytes per second over a minute; 0 for any.
    """

    headerbytes: int = 131072
    headertime: Duration = Duration(30.0)
    idletime: Duration = Duration(60.0)
    stalltime: Duration = Duration(300.0)
    connections: int = 10000
    uploadbytes: int = 0
    streams: int = 32
    minrate: int = 100
    uploads: UploadLimits = section(UploadLimits)


@attrs.frozen
class Http:
    """``http``.

    :ivar socketmode: octal, file mode of the socket if ``net`` is ``unix``.
    """

    addr: str = "127.0.0.1:5000"
    net: str = "tcp"
    host: str = ""
    prefix: str = ""
    secret: str = secret()
    relativeurls: bool = False
    draintimeout: Duration = Duration(10.0)
    headers: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    tls: Tls = section(Tls)
    debug: DebugSection = section(DebugSection)
    http2: Http2 = section(Http2)
    h2c: H2c = section(H2c)
    limits: HttpLimits = section(HttpLimits)
    trustedproxies: tuple[str, ...] = DEFAULT_NETWORKS
    socketmode: str = "0666"
