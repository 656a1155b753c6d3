"""The files of TLS that a configuration names, as OpenSSL sees them."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

import attrs
from OpenSSL import SSL, crypto
from twisted.internet.ssl import Certificate, KeyPair

from txregistry.assembly.pemfiles import (
    read_optional,
    read_tls_files,
    redis_tls_files,
)
from txregistry.config.model import Config
from txregistry.config.proxy import Upstream
from txregistry.daemon.tls import make_options
from txregistry.remote.transport import TlsFiles, UpstreamPolicy
from txregistry.spec.pem import certificates

#: The marks of an encrypted key, in the two forms of PEM.
_ENCRYPTED = re.compile(
    rb"^(?:-----BEGIN ENCRYPTED |Proc-Type: *4, *ENCRYPTED)", re.MULTILINE
)


@attrs.frozen
class _Tls:
    """The files of one section of TLS.

    :ivar name: the key of the section.
    :ivar authorities: files of certificates that are trusted, by their keys.
    :ivar is_used: false if nothing reads the files.
    :ivar use: loads the files as a start does.
    """

    name: str
    certificate: str
    key: str
    authorities: Mapping[str, str]
    is_used: bool
    use: Callable[[], object]

    def paths(self) -> dict[str, str]:
        """Give the named files, by their keys."""
        pair = {
            f"{self.name}.certificate": self.certificate,
            f"{self.name}.key": self.key,
        }
        return {**pair, **self.authorities}

    def problems(self) -> list[str]:
        """Find problems in the content of readable files."""
        found = []
        for key, path in self.authorities.items():
            found += _without_certificate(key, path)
        if self.certificate and self.key:
            found += _pair_problems(self.name, self.certificate, self.key)
        return found or self._refused()

    def _refused(self) -> list[str]:
        """Find problems that only OpenSSL reports, such as a key that is too short."""
        try:
            self.use()
        except (SSL.Error, crypto.Error) as error:
            reason = (
                error.args[0][-1][-1] if error.args and error.args[0] else "refused"
            )
            return [f"{self.name}.certificate: cannot be used: {reason}"]
        return []


def tls_problems(config: Config) -> list[str]:
    """Find files that a start could not use.

    :return: one line each, which begins with the key.
    """
    problems = []
    for section in _sections(config):
        found = [*_unreadable(section.paths())]
        if section.is_used and not found:
            found = section.problems()
        problems += found
    return problems


def _sections(config: Config) -> list[_Tls]:
    http, redis = config.http.tls, config.redis.tls
    is_asked = config.storage.cache.blobdescriptor == "redis"
    return [
        _Tls(
            "http.tls",
            http.certificate,
            http.key,
            _numbered("http.tls.clientcas", http.clientcas),
            bool(http.certificate and http.key),
            lambda: make_options(http, ()),
        ),
        _upstream("proxy", config.proxy, bool(config.proxy.remoteurl)),
        *(
            _upstream(f"proxy.upstreams.{key}", upstream, True)
            for key, upstream in config.proxy.upstreams.items()
        ),
        _Tls(
            "redis.tls",
            redis.certificate,
            redis.key,
            _numbered("redis.tls.rootcas", redis.rootcas),
            is_asked,
            lambda: _client_options(redis_tls_files(config.redis)),
        ),
    ]


def _upstream(path: str, upstream: Upstream, is_used: bool) -> _Tls:
    tls = upstream.tls
    return _Tls(
        f"{path}.tls",
        tls.certificate,
        tls.key,
        {f"{path}.tls.ca": tls.ca} if tls.ca else {},
        is_used,
        lambda: _client_options(read_tls_files(upstream)),
    )


def _client_options(files: TlsFiles) -> object:
    return UpstreamPolicy(files).creatorForNetloc(b"host.example", 443)


def _numbered(key: str, paths: tuple[str, ...]) -> dict[str, str]:
    return {f"{key}[{index}]": path for index, path in enumerate(paths)}


def _unreadable(paths: Mapping[str, str]) -> Iterator[str]:
    for key, path in paths.items():
        if not path:
            continue
        try:
            is_directory = stat.S_ISDIR(os.stat(path).st_mode)
        except FileNotFoundError:
            yield f"{key}: cannot be read: {path}"
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            yield f"{key}: cannot be read: {path}: {reason}"
        else:
            if is_directory:
                yield f"{key}: cannot be read: {path}: Is a directory"
            elif not os.access(path, os.R_OK):
                yield f"{key}: cannot be read: {path}: Permission denied"


def _without_certificate(key: str, path: str) -> list[str]:
    parts = certificates(read_optional(path)) if path else []
    if not parts:
        return [f"{key}: holds no certificate: {path or 'no file is named'}"]
    return [
        f"{key}: certificate {number} is malformed: {path}"
        for number, part in enumerate(parts, 1)
        if _certificate(part) is None
    ]


def _pair_problems(name: str, certificate: str, key: str) -> list[str]:
    problems = _without_certificate(f"{name}.certificate", certificate)
    pem = read_optional(key)
    if _ENCRYPTED.search(pem):
        # OpenSSL would ask for the password on a terminal.
        return [*problems, f"{name}.key: is encrypted: {key}"]
    private = _private_key(pem)
    if private is None:
        return [*problems, f"{name}.key: holds no private key: {key}"]
    parts = [] if problems else certificates(read_optional(certificate))
    first = _certificate(parts[0]) if parts else None
    if first is not None and _public(first.get_pubkey()) != _public(private):
        return [f"{name}.key: belongs to another certificate: {key}"]
    return problems


def _certificate(pem: bytes) -> crypto.X509 | None:
    with suppress(crypto.Error, SSL.Error, ValueError):
        found: crypto.X509 = Certificate.loadPEM(pem).original
        return found
    return None


def _private_key(pem: bytes) -> crypto.PKey | None:
    with suppress(crypto.Error, SSL.Error, ValueError):
        found: crypto.PKey = KeyPair.load(pem, crypto.FILETYPE_PEM).original
        return found
    return None


def _public(key: crypto.PKey) -> bytes:
    return crypto.dump_publickey(crypto.FILETYPE_PEM, key)
