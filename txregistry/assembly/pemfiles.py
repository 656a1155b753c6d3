"""Read the PEM files that a section of the configuration names."""

from __future__ import annotations

from txregistry.config.proxy import Upstream
from txregistry.config.redis import RedisSection
from txregistry.remote.transport import TlsFiles


def read_tls_files(proxy: Upstream) -> TlsFiles:
    """Read an upstream's authorities, and our client certificate.

    :raise OSError: a file cannot be read.
    """
    return TlsFiles(
        read_optional(proxy.tls.ca),
        read_optional(proxy.tls.certificate),
        read_optional(proxy.tls.key),
        proxy.tls.insecure,
    )


def read_optional(path: str) -> bytes:
    """Read a file, if one is configured.

    :raise OSError: it cannot be read.
    """
    if not path:
        return b""
    with open(path, "rb") as file:
        return file.read()


def redis_tls_files(redis: RedisSection) -> TlsFiles:
    """Read redis's authorities, and our client certificate.

    :raise OSError: a file cannot be read.
    """
    return TlsFiles(
        b"".join(read_optional(path) for path in redis.tls.rootcas),
        read_optional(redis.tls.certificate),
        read_optional(redis.tls.key),
    )
