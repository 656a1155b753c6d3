"""Conditional requests for content whose entity tag is its digest (RFC 9110, 13)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from txregistry.spec.digest import Digest

_TAG = re.compile(r'(?:W/)?"([^"]*)"|([^,\s"]+)')


def etag(digest: Digest) -> str:
    """Return the entity tag of content: its digest in quotes."""
    return f'"{digest}"'


def none_match_fails(headers: Iterable[str], digest: Digest) -> bool:
    """Return whether ``If-None-Match`` says that the client has the content already.

    Lists, ``*`` and weak tags match, and so does the unquoted form of old clients.
    """
    wanted = str(digest)
    for header in headers:
        for quoted, bare in _TAG.findall(header):
            if bare == "*" or wanted in (quoted, bare):
                return True
    return False


def match_holds(headers: Iterable[str], digest: Digest) -> bool:
    """Return whether ``If-Match`` permits the request; weak tags do not match."""
    wanted = str(digest)
    for header in headers:
        for part in header.split(","):
            if part.strip() in ("*", wanted, f'"{wanted}"'):
                return True
    return False


def range_applies(if_range: str | None, digest: Digest) -> bool:
    """Return whether ``If-Range`` permits a partial response.

    Only the strong tag does. We send no ``Last-Modified``, so a date never matches.
    """
    return if_range is None or if_range.strip() == etag(digest)
