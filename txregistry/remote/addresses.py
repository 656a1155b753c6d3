"""What the address of a question says of it (pure)."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, quote, urljoin, urlsplit

_KINDS = "manifests|blobs|tags|referrers"

_API = re.compile(rf"/v2/(.+)/(?:{_KINDS})/[^/]+/?$")

#: The end of such a path: to look for all of it at each ``/v2/`` would take long.
_END = re.compile(rf"/(?:{_KINDS})/[^/]+/?$")

#: What may stand in a URL as it is (RFC 3986, 2); anything else is quoted.
_URL_CHARACTERS = "%/:=&?~#+!$,;'@()*[]-._"

#: Parameters by which object stores and delivery networks sign a URL.
_SIGNATURES = frozenset(
    (
        "x-amz-signature",  # S3 and what resembles it
        "x-goog-signature",
        "signature",  # CloudFront, S3 of old, Google of old
        "x-oss-signature",
        "q-signature",  # Tencent
        "sig",  # Azure
        "verify",  # Cloudflare
        "hdnts",  # Akamai
    )
)


def is_api(url: str) -> bool:
    """Tell whether a registry is asked, and not a storage that it has sent us to."""
    path = urlsplit(url).path
    begin, end = path.find("/v2/"), _END.search(path)
    has_name = begin >= 0 and end is not None and begin + len("/v2/") < end.start()
    return has_name and not is_signed(url)


def is_signed(url: str) -> bool:
    """Tell whether a URL carries the right to what it names in itself."""
    names = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    return any(name.lower() in _SIGNATURES for name, _ in names)


def scope_of(path: str) -> str:
    """Give the scope that reading a path takes; empty if it needs none.

    Built from the path, since some upstreams name another repository in their
    challenge.

    :param path: as ``/v2/…``, without what stands before it at an upstream.
    """
    if match := _API.match(path.partition("?")[0]):
        return f"repository:{match[1]}:pull"
    return "registry:catalog:*" if path.startswith("/v2/_catalog") else ""


def path_of(url: str, base: str) -> str:
    """Give the path and query of a URL, without the path of the registry's own base.

    :param base: the URL of a registry, without a slash at its end.
    """
    parts = urlsplit(url)
    path = parts.path.removeprefix(urlsplit(base).path.rstrip("/"))
    return f"{path}?{parts.query}" if parts.query else path


def resolve_reference(base: str, reference: str) -> str:
    """Give the URL to which a reference leads (RFC 3986, 5), as it can be sent.

    :param reference: as a header had it, bytes beyond ASCII as Latin-1.
    :raise ValueError: it is none.
    """
    there = urljoin(base, reference).partition("#")[0]
    return quote(there, safe=_URL_CHARACTERS, encoding="latin-1")


def follow_link(base: str, path: str, link: str) -> str:
    """Give the path of the page to which a link leads (RFC 8288).

    Whatever host it names, the page is asked of the upstream itself: behind a proxy
    an upstream often does not know by what name, scheme or path it is reached.

    :param base: the URL of the upstream; its path may be missing from the link.
    :param path: of the page that has the link, as ``/v2/…``.
    """
    try:
        found = path_of(resolve_reference(base + path, link), base)
    except ValueError:
        return path  # it leads nowhere, and the page that has it was the last
    if found.startswith("/v2/"):
        return found
    before, mark, rest = found.partition("/v2/")
    return mark + rest if mark and "?" not in before else path
