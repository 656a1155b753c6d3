"""The settings of a site, as one value that a reload replaces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum

import attrs
from twisted.web.resource import IResource

from txregistry.flow.changes import ChangeTimes
from txregistry.interfaces.observe import IExchangeObserver
from txregistry.spec.proxies import DEFAULT_NETWORKS, TrustedProxies
from txregistry.web.http.connections import ChannelLimits

#: Headers of every answer, unless configured otherwise. Browsers must not render pushed
#: content as a page.
_DEFAULT_HEADERS = {"x-content-type-options": ("nosniff",)}


@attrs.frozen
class Serving:
    """How a site serves new connections and requests.

    :ivar observer: gets the record of each request when it ends.
    :ivar prefix: stripped from the path of every request (``http.prefix``).
    :ivar headers: set on every answer (``http.headers``), by lower-case name; one
        without values removes a default header.
    :ivar http2: who is answered by HTTP/2 on TLS, by ALPN.
    :ivar cleartext_http2: accept HTTP/2 without TLS, by prior knowledge.
    :ivar proxies: whose ``Forwarded`` and ``X-Forwarded-*`` headers are believed
        (``http.trustedproxies``).
    :ivar changes: notes what answers are about; ``None`` if none may be given again.
    """

    resource: IResource
    observer: IExchangeObserver
    prefix: bytes
    headers: Mapping[str, tuple[str, ...]]
    limits: ChannelLimits
    http2: Http2Use
    cleartext_http2: bool
    proxies: TrustedProxies
    changes: ChangeTimes | None = None


class Http2Use(Enum):
    """Who is answered by HTTP/2 on TLS: nobody, who has nothing else, or who can."""

    NEVER = "never"
    NEEDED = "needed"
    PREFERRED = "preferred"


#: ALPN protocols, best first. Clients of a registry move a few large bodies at a time:
#: the frames and windows of HTTP/2 cost CPU, and give them nothing.
_PROTOCOLS = {
    Http2Use.NEVER: (b"http/1.1",),
    Http2Use.NEEDED: (b"http/1.1", b"h2"),
    Http2Use.PREFERRED: (b"h2", b"http/1.1"),
}


def offered_protocols(http2: Http2Use) -> Sequence[bytes]:
    """Return the ALPN protocols to offer on TLS, best first."""
    return _PROTOCOLS[http2]


def make_serving(
    resource: IResource,
    observer: IExchangeObserver,
    prefix: str = "",
    headers: Mapping[str, tuple[str, ...]] | None = None,
    limits: ChannelLimits | None = None,
    http2: Http2Use = Http2Use.NEVER,
    cleartext_http2: bool = False,
    proxies: TrustedProxies | None = None,
    changes: ChangeTimes | None = None,
) -> Serving:
    """Return settings of a site; what is left out has the default of the key."""
    named = {name.lower(): values for name, values in (headers or {}).items()}
    return Serving(
        resource,
        observer,
        b"/" + prefix.strip("/").encode("ascii"),
        {**_DEFAULT_HEADERS, **named},
        limits or ChannelLimits(),
        http2,
        cleartext_http2,
        proxies or TrustedProxies.parse(DEFAULT_NETWORKS),
        changes,
    )
