"""Origins, and which token services may get the upstream's credentials (pure)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import cache
from urllib.parse import urlsplit

import attrs
from publicsuffixlist import PublicSuffixList

_DEFAULT_PORTS = {"http": 80, "https": 443}


@attrs.frozen
class Origin:
    """Scheme, host and port of a URL (RFC 6454)."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Origin:
        """Return the origin of an absolute http or https URL.

        :raise ValueError: the URL is of another kind.
        """
        parts = urlsplit(url)
        if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
            raise ValueError("expected an http or https URL")
        port = parts.port or _DEFAULT_PORTS[parts.scheme]
        return cls(parts.scheme, parts.hostname.lower().rstrip("."), port)

    @property
    def authority(self) -> str:
        """Return the host, with the port if it is not the scheme's default."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        if self.port == _DEFAULT_PORTS[self.scheme]:
            return host
        return f"{host}:{self.port}"


def is_trusted_realm(upstream: str, realm: str, trusted: Iterable[str]) -> bool:
    """Return whether a token service may be sent credentials.

    It may if the configuration lists it. Otherwise it must not downgrade https to http,
    and must have the upstream's host and port, or its registrable domain. Addresses and
    single-label names have no registrable domain.

    :param upstream: the URL of the upstream.
    :param realm: the URL of the token service.
    :param trusted: ``proxy.trustedrealms``.
    """
    try:
        ours, theirs = Origin.of(upstream), Origin.of(realm)
    except ValueError:
        return False
    if any(_covers(entry, realm, theirs) for entry in trusted):
        return True
    if (ours.scheme, theirs.scheme) == ("https", "http"):
        return False
    if (ours.host, ours.port) == (theirs.host, theirs.port):
        return True
    site = _site(ours.host)
    return site is not None and site == _site(theirs.host)


def _covers(entry: str, realm: str, origin: Origin) -> bool:
    """Return whether an entry, a URL or a host, covers a realm.

    An entry without a scheme is a host and an optional port on https.
    """
    if "://" not in entry:
        return _is_origin(f"https://{entry}", origin)
    return realm == entry or realm.startswith(entry.rstrip("/") + "/")


def _is_origin(url: str, origin: Origin) -> bool:
    try:
        return Origin.of(url) == origin
    except ValueError:
        return False


def _site(host: str) -> str | None:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        found: str | None = _suffixes().privatesuffix(host)
        return found if "." in host else None
    return None


@cache
def _suffixes() -> PublicSuffixList:
    # Loading the list from the package takes a moment, so it is done on first use.
    return PublicSuffixList()
