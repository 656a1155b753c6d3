"""``http``: where the registry listens, and how."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from txregistry.config.ciphers import CIPHER_SUITES, CLIENT_AUTH, TLS_VERSIONS
from txregistry.config.declare import file_path, secret, section, setting
from txregistry.config.fields import Duration
from txregistry.spec.proxies import DEFAULT_NETWORKS

_LISTENS = "the listener is opened at the start"
_SEALED = "it seals the state of current uploads"
_REFUSED = "Refused unless it is empty: let certbot renew certificate and key."


@attrs.frozen
class LetsEncrypt:
    """``http.tls.letsencrypt``: refused if switched on."""

    cachefile: str = setting("", _REFUSED, "2.5")
    email: str = setting("", _REFUSED, "2.5")
    hosts: tuple[str, ...] = setting((), "Ignored with the others.", "2.7")
    directoryurl: str = setting("", "Ignored with the others.", "3.0")


@attrs.frozen
class Tls:
    """``http.tls``."""

    certificate: str = file_path(
        "", "The file of the certificate and its chain; read again on a change.", "2.0"
    )
    key: str = file_path("", "The file of its private key, not encrypted.", "2.0")
    clientcas: tuple[str, ...] = file_path(
        (), "Files of authorities whose clients are let in.", "2.0"
    )
    clientauth: str = setting(
        CLIENT_AUTH[-1],
        "Whether a client has to have a certificate, with clientcas.",
        "3.0",
        choices=CLIENT_AUTH,
    )
    minimumtls: str = setting(
        "tls1.2", "The oldest version that is spoken.", "2.8", choices=TLS_VERSIONS
    )
    ciphersuites: tuple[str, ...] = setting(
        (),
        "The suites of TLS 1.2 and below, by their names in Go.",
        "2.8",
        unset="ECDHE with GCM or ChaCha20",
        choices=tuple(CIPHER_SUITES),
    )
    letsencrypt: LetsEncrypt = section(
        LetsEncrypt, "No ACME client fits this process.", "2.5"
    )


@attrs.frozen
class Prometheus:
    """``http.debug.prometheus``."""

    enabled: bool = setting(False, "Serve metrics on the debug listener.", "2.7")
    path: str = setting("/metrics", "The path of the metrics.", "2.7")


@attrs.frozen
class DebugSection:
    """``http.debug``."""

    addr: str = setting(
        "", "host:port of the debug listener, for yourself only.", "2.0", unset="none"
    )
    prometheus: Prometheus = section(Prometheus, "Metrics.", "2.7")


@attrs.frozen
class Http2:
    """``http.http2``."""

    disabled: bool = setting(False, "Speak HTTP/1.1 only.", "2.6")


@attrs.frozen
class H2c:
    """``http.h2c``: HTTP/2 without TLS, with clients that support it."""

    enabled: bool = setting(
        False, "Speak HTTP/2 without TLS to who asks for it.", "3.0"
    )


@attrs.frozen
class UploadLimits:
    """``http.limits.uploads``: begun and not finished."""

    peruser: int = setting(
        1000,
        "Uploads begun and not finished of one user, or of one address (64 bits of"
        " IPv6) where nobody is asked who it is; 429 beyond, 0 for no limit.",
        unit="uploads",
        minimum=0,
    )
    total: int = setting(
        10000, "The same of all; 0 for no limit.", unit="uploads", minimum=0
    )


@attrs.frozen
class HttpLimits:
    """``http.limits``: limits of one client."""

    headerbytes: int = setting(131072, "Of all headers of a request.", unit="bytes")
    headertime: Duration = setting(
        Duration(30.0), "From the first byte of a request's head to its last."
    )
    idletime: Duration = setting(
        Duration(60.0), "Without a byte from a client that should send."
    )
    stalltime: Duration = setting(
        Duration(300.0),
        "Without a client taking any of its answer, or a stream of HTTP/2 any of its"
        " own.",
    )
    connections: int = setting(
        10000, "At once; further ones are closed.", unit="connections"
    )
    uploadbytes: int = setting(
        0, "Of one blob that is pushed; 0 for no limit.", unit="bytes"
    )
    streams: int = setting(
        32,
        "At once, of one connection of HTTP/2; further ones are refused.",
        unit="streams",
        minimum=1,
    )
    minrate: int = setting(
        100,
        "Over a minute, of a body that is waited for, and that the client of a stream"
        " of HTTP/2 makes room for; 0 for any.",
        unit="bytes per second",
        minimum=0,
    )
    uploads: UploadLimits = section(UploadLimits, "Uploads begun and not finished.")


@attrs.frozen
class Http:
    """``http``."""

    addr: str = setting(
        "127.0.0.1:5000",
        "host:port, or the path of a socket; a socket of systemd takes its place.",
        "2.0",
        restart=_LISTENS,
    )
    net: str = setting(
        "tcp",
        "The kind of the address.",
        "2.1",
        choices=("tcp", "unix"),
        restart=_LISTENS,
    )
    host: str = setting(
        "",
        "Scheme and host of the URLs that are given to clients.",
        "2.2",
        unset="those of the request",
    )
    prefix: str = setting(
        "", "The path before /v2/, as /registry/.", "2.0", unset="none"
    )
    secret: str = secret(
        "",
        "Seals the state of uploads; the same for all replicas.",
        "2.0",
        unset="a random one, kept in the storage directory",
        restart=_SEALED,
    )
    relativeurls: bool = setting(
        False, "Give clients URLs without scheme and host.", "2.4"
    )
    draintimeout: Duration = setting(
        Duration(10.0), "How long a stop waits for answers under way.", "2.7"
    )
    headers: Mapping[str, tuple[str, ...]] = setting(
        attrs.Factory(dict),
        "Headers of all answers; [] takes one away, as X-Content-Type-Options: [].",
        "2.2",
    )
    tls: Tls = section(Tls, "TLS of the listener.", "2.0")
    debug: DebugSection = section(
        DebugSection, "The debug listener.", "2.0", restart=_LISTENS
    )
    http2: Http2 = section(Http2, "HTTP/2 over TLS.", "2.6")
    h2c: H2c = section(H2c, "HTTP/2 without TLS.", "3.0")
    limits: HttpLimits = section(HttpLimits, "Limits of one client.")
    trustedproxies: tuple[str, ...] = setting(
        DEFAULT_NETWORKS,
        "Addresses and networks whose Forwarded and X-Forwarded-* are believed; until"
        " it is set, those of the loopback alone say for whom they ask. [] for nobody.",
        unset="loopback and private networks",
    )
    socketmode: str = setting(
        "0666",
        "The mode of the socket, octal, where net is unix.",
        restart=_LISTENS,
    )
