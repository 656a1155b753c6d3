"""Contract for a look at a running cache: its upstreams, and what it downloads."""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred
from zope.interface import Interface


@attrs.frozen
class UpstreamOverview:
    """How one upstream is, and what was done for it since the start.

    :ivar name: as in metrics: its key, or the host of the default one.
    :ivar paused_seconds: until it is asked again, as it could not be reached; 0 while
        it is asked as usual.
    :ivar requests: of clients, for blobs, manifests and tags.
    :ivar hits: those that were answered without it.
    :ivar stale: those that it should have confirmed, and could not.
    :ivar pulled_bytes: that came from it.
    :ivar served_bytes: of blobs that clients got.
    :ivar questions: that it was asked.
    :ivar asked_seconds: until the heads of its answers, of all questions together.
    :ivar rate_limit: questions that it permits in its window; ``None`` if it did not
        say.
    :ivar rate_left: of these.
    :ivar failing: the last question could not reach it.
    :ivar latency: seconds until the head of an answer, mostly of the last ten; ``None``
        as long as none came.
    """

    name: str
    url: str
    paused_seconds: float
    requests: int
    hits: int
    stale: int
    pulled_bytes: int
    served_bytes: int
    questions: int = 0
    asked_seconds: float = 0.0
    rate_limit: int | None = None
    rate_left: int | None = None
    failing: bool = False
    latency: float | None = None


@attrs.frozen
class DownloadOverview:
    """One download under way.

    :ivar upstream: from which it comes, as in metrics.
    :ivar size: in bytes; ``None`` if the upstream did not say.
    :ivar done: bytes that are here.
    :ivar rate: bytes per second, within the last seconds.
    :ivar clients: that get it while it comes.
    """

    digest: str
    upstream: str
    size: int | None
    done: int
    rate: float
    clients: int = 0


@attrs.frozen
class Overview:
    """A whole cache.

    :ivar offline: no upstream is asked.
    """

    offline: bool
    upstreams: tuple[UpstreamOverview, ...]
    downloads: tuple[DownloadOverview, ...]


class IOverlook(Interface):
    """Looks at a cache, and changes nothing."""

    def look() -> Deferred[Overview]:
        """Fire after a second, in which the rates of downloads are measured."""

    def glance() -> Overview:
        """Look at once; rates are those since a glance of some seconds ago."""
