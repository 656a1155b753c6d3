"""What the URL of a request says about it (pure)."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, quote, urljoin, urlsplit

_KINDS = "manifests|blobs|tags|referrers"

_API = re.compile(rf"/v2/(.+)/(?:{_KINDS})/[^/]+/?$")

#: The end of such a path. Matching ``_API`` at each ``/v2/`` would take quadratic time.
_END = re.compile(rf"/(?:{_KINDS})/[^/]+/?$")

#: Characters that a URL may contain unquoted (RFC 3986, 2).
_URL_CHARACTERS = "%/:=&?~#+!$,;'@()*[]-._"

#: Query parameters that carry the signature of object stores and CDNs.
_SIGNATURES = frozenset(
    (
        "x-amz-signature",  # S3 and compatible stores
        "x-goog-signature",
        "signature",  # CloudFront; version 2 of S3 and Google
        "x-oss-signature",
        "q-signature",  # Tencent
        "sig",  # Azure
        "verify",  # Cloudflare
        "hdnts",  # Akamai
    )
)


def is_api(url: str) -> bool:
    """Return whether a URL is of the registry API, and not of a redirect's storage."""
    path = urlsplit(url).path
    begin, end = path.find("/v2/"), _END.search(path)
    has_name = begin >= 0 and end is not None and begin + len("/v2/") < end.start()
    return has_name and not is_signed(url)


def is_signed(url: str) -> bool:
    """Return whether a URL is signed, and so grants access by itself."""
    names = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    return any(name.lower() in _SIGNATURES for name, _ in names)


def scope_of(path: str) -> str:
    """Return the token scope for reading a path; empty if there is none.

    It is built from the path, as some upstreams name another repository in their
    challenge.

    :param path: as ``/v2/…``, without the path of the upstream's base URL.
    """
    if match := _API.match(path.partition("?")[0]):
        return f"repository:{match[1]}:pull"
    return "registry:catalog:*" if path.startswith("/v2/_catalog") else ""


def path_of(url: str, base: str) -> str:
    """Return the path and query of a URL, without the path of the base URL.

    :param base: the base URL of a registry, without a trailing slash.
    """
    parts = urlsplit(url)
    path = parts.path.removeprefix(urlsplit(base).path.rstrip("/"))
    return f"{path}?{parts.query}" if parts.query else path


def resolve_reference(base: str, reference: str) -> str:
    """Resolve a URL reference against a base (RFC 3986, 5); quote it for a request.

    :param reference: from a header, decoded as Latin-1.
    :raise ValueError: it cannot be resolved to a URL.
    """
    there = urljoin(base, reference).partition("#")[0]
    return quote(there, safe=_URL_CHARACTERS, encoding="latin-1")


def follow_link(base: str, path: str, link: str) -> str:
    """Return the path of the page that a link refers to (RFC 8288), as ``/v2/…``.

    The host of the link is ignored, and the upstream itself is asked: an upstream
    behind a proxy often does not know its public name, scheme or path.

    :param base: the base URL of the upstream; the link may lack its path.
    :param path: of the page with the link, as ``/v2/…``; returned if the link is
        unusable, which ends the list.
    """
    try:
        found = path_of(resolve_reference(base + path, link), base)
    except ValueError:
        return path
    if found.startswith("/v2/"):
        return found
    before, mark, rest = found.partition("/v2/")
    return mark + rest if mark and "?" not in before else path
