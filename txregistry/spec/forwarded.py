"""How clients reach us: ``Forwarded`` (RFC 7239) and ``X-Forwarded-*``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PAIR = re.compile(rf'[ \t]*({_WORD})=({_WORD}|"(?:[^"\\]|\\.)*")[ \t]*')
_ESCAPE = re.compile(r"\\(.)")


def parse_forwarded(header: str) -> Mapping[str, str] | None:
    """Parse the first element of a ``Forwarded`` header.

    :return: values by lower-case name; empty pairs are skipped. ``None`` if the element
        is malformed or has a name twice.
    """
    found = _element(header, 0)
    return None if found is None else found[0]


def forwarded_elements(header: str) -> Iterator[Mapping[str, str]]:
    """Parse all elements of a ``Forwarded`` header; empty if one is malformed."""
    found, position = [], 0
    while position < len(header):
        element = _element(header, position)
        if element is None:
            return iter(())
        found.append(element[0])
        position = element[1] + 1
    return iter(found)


def _element(header: str, position: int) -> tuple[dict[str, str], int] | None:
    """Parse the element at a position; return it and its end."""
    found: dict[str, str] = {}
    while position < len(header) and header[position] != ",":
        if header[position] in "; \t":
            position += 1
            continue
        match = _PAIR.match(header, position)
        if match is None or match[1].lower() in found:
            return None
        position = match.end()
        if position < len(header) and header[position] not in ";,":
            return None
        found[match[1].lower()] = _unquote(match[2])
    return found, position


def _unquote(value: str) -> str:
    return _ESCAPE.sub(r"\1", value[1:-1]) if value.startswith('"') else value


# The clients of a registry use few names for it; an entry may hold 128 KiB of headers.
@lru_cache(64)
def client_base(
    forwarded: str, proto: str, host: str, own_scheme: str, own_host: str
) -> tuple[str, str]:
    """Return the scheme and host of the URL by which a client reaches us.

    :param forwarded: the ``Forwarded`` header; if its first element is well formed and
        has a scheme or a host, the ``X-Forwarded-*`` headers are ignored.
    :param proto: ``X-Forwarded-Proto``.
    :param host: ``X-Forwarded-Host``.
    :param own_scheme: used without a valid scheme in the headers.
    :param own_host: used without a valid host in them.
    :return: the host is empty if none is valid.
    """
    pairs = parse_forwarded(forwarded) or {}
    # Many proxies put only ``for`` there, and the rest into ``X-Forwarded-*``.
    if "proto" in pairs or "host" in pairs:
        proto, host = pairs.get("proto", ""), pairs.get("host", "")
    proto = proto.partition(",")[0].strip().lower()
    host = host.partition(",")[0].strip()
    scheme = proto if proto in ("http", "https") else own_scheme
    chosen = host if _is_host(host) else own_host
    return scheme, chosen if _is_host(chosen) else ""


def _is_host(text: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9._:\[\]-]{1,255}", text) is not None
