"""``http``: where the registry listens, and how."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from txregistry.config.ciphers import CIPHER_SUITES, CLIENT_AUTH, TLS_VERSIONS
from txregistry.config.declare import LIVE, file_path, secret, section, setting
from txregistry.config.fields import Duration
from txregistry.spec.proxies import DEFAULT_NETWORKS

_LISTENS = "the listener is opened at the start"
_SEALED = "it seals the state of current uploads"
_REFUSED = "Refused unless empty: let certbot renew http.tls.certificate and key."


@attrs.frozen
class LetsEncrypt:
    """``http.tls.letsencrypt``: refused if switched on."""

    cachefile: str = setting("", _REFUSED, "2.5")
    email: str = setting("", _REFUSED, "2.5")
    hosts: tuple[str, ...] = setting((), "Ignored.", "2.7")
    directoryurl: str = setting("", "Ignored.", "3.0")


@attrs.frozen
class Tls:
    """``http.tls``."""

    certificate: str = file_path(
        "",
        "File with the certificate and its chain, in PEM; read again when it changes.",
        "2.0",
    )
    key: str = file_path("", "File with the unencrypted private key, in PEM.", "2.0")
    clientcas: tuple[str, ...] = file_path(
        (),
        "Files with the certificate authorities of client certificates; with one,"
        " clients are asked for a certificate.",
        "2.0",
    )
    clientauth: str = setting(
        CLIENT_AUTH[-1],
        "How client certificates are requested and verified, with clientcas.",
        "3.0",
        choices=CLIENT_AUTH,
    )
    minimumtls: str = setting(
        "tls1.2", "Oldest accepted version of TLS.", "2.8", choices=TLS_VERSIONS
    )
    ciphersuites: tuple[str, ...] = setting(
        (),
        "Cipher suites for TLS 1.2 and older, by their names in Go.",
        "2.8",
        unset="ECDHE with GCM or ChaCha20",
        choices=tuple(CIPHER_SUITES),
    )
    letsencrypt: LetsEncrypt = section(
        LetsEncrypt, "Automatic certificates; not supported.", "2.5"
    )


@attrs.frozen
class Prometheus:
    """``http.debug.prometheus``."""

    enabled: bool = setting(
        False, "Serve Prometheus metrics on the debug listener.", "2.7"
    )
    path: str = setting("/metrics", "Path of the metrics.", "2.7")


@attrs.frozen
class DebugSection:
    """``http.debug``."""

    addr: str = setting(
        "",
        "Address of the debug listener, as host:port. It has no access control: keep"
        " it private.",
        "2.0",
        unset="none",
    )
    prometheus: Prometheus = section(Prometheus, "Prometheus metrics.", "2.7")


@attrs.frozen
class AdminSection:
    """``http.admin``."""

    addr: str = setting(
        "",
        "Address of the admin listener, which shows the cache and steers it: host:port,"
        " or the path of a socket, which begins with a slash.",
        unset="none",
    )
    socketmode: str = setting(
        "0600",
        "File mode of the socket, octal: whoever may open it may do everything there.",
    )
    users: Mapping[str, str] = setting(
        attrs.Factory(lambda: {"*": "read"}),
        "What users may do there, by name: read, or operate, which is to read and to"
        " act; * is every other user, and everybody where auth is not configured.",
        restart=LIVE,
    )
    hosts: tuple[str, ...] = setting(
        (),
        "Further names by which it is asked, beside addresses, localhost and that of"
        " http.host; others are refused, as a page of another site may have its own"
        " name lead here. * permits all.",
        restart=LIVE,
    )
    tls: bool = setting(
        False, "Use the certificate of http.tls, where the address is host:port."
    )


@attrs.frozen
class Http2:
    """``http.http2``."""

    disabled: bool = setting(False, "Disable HTTP/2 over TLS.", "2.6")
    prefer: bool = setting(
        False,
        "Answer clients that offer both by HTTP/2, which costs more CPU than HTTP/1.1.",
    )


@attrs.frozen
class H2c:
    """``http.h2c``: HTTP/2 without TLS, with clients that support it."""

    enabled: bool = setting(
        False, "Accept HTTP/2 without TLS from clients that ask for it.", "3.0"
    )


@attrs.frozen
class UploadLimits:
    """``http.limits.uploads``: begun and not finished."""

    peruser: int = setting(
        1000,
        "Maximum number of unfinished uploads of one user, or of one client address"
        " (IPv6: of one /64 network) without access control; 429 beyond it, 0 for "
        "no limit.",
        unit="uploads",
        minimum=0,
    )
    total: int = setting(
        10000,
        "Maximum number of unfinished uploads of all clients; 429 beyond it, 0 for no"
        " limit.",
        unit="uploads",
        minimum=0,
    )


@attrs.frozen
class HttpLimits:
    """``http.limits``: limits of one client."""

    headerbytes: int = setting(
        131072, "Maximum total size of the headers of a request.", unit="bytes"
    )
    headertime: Duration = setting(
        Duration(30.0),
        "Maximum time from the first to the last byte of a request's headers.",
    )
    idletime: Duration = setting(
        Duration(60.0),
        "Maximum time without a byte from a client that should be sending.",
    )
    stalltime: Duration = setting(
        Duration(300.0),
        "Maximum time in which a client, or one HTTP/2 stream, reads nothing of its"
        " response.",
    )
    connections: int = setting(
        10000,
        "Maximum number of open connections; further ones are closed.",
        unit="connections",
    )
    uploadbytes: int = setting(
        0, "Maximum size of a pushed blob; 0 for no limit.", unit="bytes"
    )
    streams: int = setting(
        32,
        "Maximum number of concurrent streams on one HTTP/2 connection; further "
        "ones are refused.",
        unit="streams",
        minimum=1,
    )
    minrate: int = setting(
        100,
        "Minimum rate, averaged over a minute, at which a request body must arrive "
        "and an HTTP/2 client must accept its response; 0 for no minimum.",
        unit="bytes per second",
        minimum=0,
    )
    uploads: UploadLimits = section(UploadLimits, "Limits on unfinished uploads.")


@attrs.frozen
class Http:
    """``http``."""

    addr: str = setting(
        "127.0.0.1:5000",
        "Address to listen on, as host:port, or the path of a socket where net is "
        "unix. A socket passed by systemd takes its place.",
        "2.0",
        restart=_LISTENS,
    )
    net: str = setting(
        "tcp",
        "Kind of the address.",
        "2.1",
        choices=("tcp", "unix"),
        restart=_LISTENS,
    )
    host: str = setting(
        "",
        "Scheme and host of the URLs in responses.",
        "2.2",
        unset="those of the request",
    )
    prefix: str = setting(
        "", "Path in front of /v2/, such as /registry/.", "2.0", unset="none"
    )
    secret: str = secret(
        "",
        "Key that seals the state of uploads in URLs; must be the same for all "
        "replicas.",
        "2.0",
        unset="a random one, kept in the storage directory",
        restart=_SEALED,
    )
    relativeurls: bool = setting(
        False, "Omit scheme and host in the URLs of responses.", "2.4"
    )
    draintimeout: Duration = setting(
        Duration(10.0), "How long a stop waits for responses in progress.", "2.7"
    )
    headers: Mapping[str, tuple[str, ...]] = setting(
        attrs.Factory(dict),
        "Headers added to every response. An empty list removes a default, as in "
        "X-Content-Type-Options: [].",
        "2.2",
    )
    tls: Tls = section(Tls, "TLS on the listener.", "2.0")
    debug: DebugSection = section(
        DebugSection,
        "Debug listener: health, variables, metrics.",
        "2.0",
        restart=_LISTENS,
    )
    admin: AdminSection = section(
        AdminSection,
        "Admin listener: pages and an API to look at the cache and to steer it.",
        restart=_LISTENS,
    )
    http2: Http2 = section(Http2, "HTTP/2 over TLS.", "2.6")
    h2c: H2c = section(H2c, "HTTP/2 without TLS.", "3.0")
    limits: HttpLimits = section(HttpLimits, "Limits on clients.")
    trustedproxies: tuple[str, ...] = setting(
        DEFAULT_NETWORKS,
        "Addresses and networks whose Forwarded and X-Forwarded-* headers are "
        "believed; [] for none. The client address is taken from them only for "
        "loopback addresses until this key is set.",
        unset="loopback and private networks",
    )
    reuseport: bool = setting(
        False,
        "Listen on a port on which other processes of the same user listen as well,"
        " all with this key; the kernel gives each connection to one of them.",
        restart=_LISTENS,
    )
    socketmode: str = setting(
        "0666",
        "File mode of the socket, octal, where net is unix.",
        restart=_LISTENS,
    )
