"""Conditional requests on content that is named by its digest (RFC 9110, 13)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from txregistry.spec.digest import Digest

_TAG = re.compile(r'(?:W/)?"([^"]*)"|([^,\s"]+)')


def etag(digest: Digest) -> str:
    """Give the entity tag of content: its digest, quoted."""
    return f'"{digest}"'


def none_match_fails(headers: Iterable[str], digest: Digest) -> bool:
    """Tell whether ``If-None-Match`` means that the client has the content already.

    Lists, ``*``, weak tags and the unquoted form that old clients send all count.
    """
    wanted = str(digest)
    for header in headers:
        for quoted, bare in _TAG.findall(header):
            if bare == "*" or wanted in (quoted, bare):
                return True
    return False


def match_holds(headers: Iterable[str], digest: Digest) -> bool:
    """Tell whether ``If-Match`` lets a request go on: only strong tags match."""
    wanted = str(digest)
    for header in headers:
        for part in header.split(","):
            if part.strip() in ("*", wanted, f'"{wanted}"'):
                return True
    return False


def range_applies(if_range: str | None, digest: Digest) -> bool:
    """Tell whether ``If-Range`` lets a ``Range`` be honoured.

    Only a strong match does; we send no dates, so a date never matches.
    """
    return if_range is None or if_range.strip() == etag(digest)
