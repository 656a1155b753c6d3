"""Origins and sites: who may be told the upstream's credentials (pure)."""

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
        """Take the origin out of an absolute http or https URL.

        :raise ValueError: it is no such URL.
        """
        parts = urlsplit(url)
        if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
            raise ValueError("expected an http or https URL")
        port = parts.port or _DEFAULT_PORTS[parts.scheme]
        return cls(parts.scheme, parts.hostname.lower().rstrip("."), port)

    @property
    def authority(self) -> str:
        """Give host and port, the port only if it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        if self.port == _DEFAULT_PORTS[self.scheme]:
            return host
        return f"{host}:{self.port}"


def is_trusted_realm(upstream: str, realm: str, trusted: Iterable[str]) -> bool:
    """Decide whether a token service may be asked, and given credentials.

    It may if it has the upstream's host and port, if both belong to one registrable
    domain and nothing is downgraded from https to http, or if the configuration
    lists it. Addresses and single-label names have no registrable domain.
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
    """Tell whether an entry, a URL or a host, lists a realm.

    A host without a scheme stands for https, and for the port that it names or 443.
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
    # Read from the package's own copy when first needed: it takes a moment.
    return PublicSuffixList()
