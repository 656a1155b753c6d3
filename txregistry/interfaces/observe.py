"""Contracts for what is seen while it runs."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from enum import Enum
from functools import partial

import attrs
from zope.interface import Interface

from txregistry.spec.reference import RepositoryName


class Count(Enum):
    """What is counted, by kind of content (``blob``, ``manifest``, ``tag``)."""

    REQUESTS = "requests"
    HITS = "hits"
    MISSES = "misses"
    COALESCED = "coalesced"
    PULLED_BYTES = "pulled_bytes"
    SERVED_BYTES = "served_bytes"
    HIT_BYTES = "hit_bytes"
    STALE_BYTES = "stale_bytes"
    STALE = "stale"
    BEHIND = "behind"
    EVICTED = "evicted"
    EVICTED_BYTES = "evicted_bytes"
    FAILED = "failed"
    RESUMED = "resumed"
    DAMAGED = "damaged"
    UNSTORED = "unstored"
    MADE_ROOM = "made_room"
    MADE_ROOM_BYTES = "made_room_bytes"


class Lookup(Enum):
    """What became of a question to the cache of descriptors."""

    HIT = "hit"
    MISS = "miss"
    ERROR = "error"


class IMeter(Interface):
    """Counts what the cache does; never waits, never fails."""

    def count(what: Count, kind: str, amount: float = 1) -> None:
        """Add to a counter."""

    def descriptor(found: Lookup) -> None:
        """Count a question to the cache of descriptors."""

    def fills(delta: int) -> None:
        """Change the number of fills in flight."""

    def upstream(method: str, status: str, seconds: float) -> None:
        """Record one answer of the upstream, or ``status`` ``error``."""

    def quota(limit: int | None, remaining: int | None) -> None:
        """Record what the upstream says of its rate limit; ``None`` if it does not."""

    def retry_after(seconds: float) -> None:
        """Record 429 of the upstream, and how long it wants to be left alone."""


class IUpstreamMeters(Interface):
    """The meters of all upstreams."""

    def meter_of(name: RepositoryName) -> IMeter:
        """Return the meter of a repository's upstream."""


#: What was counted for the answer under way, to be counted again if that is given
#: again; ``None`` if it will not be.
counted: ContextVar[list[Callable[[], None]] | None] = ContextVar(
    "txregistry_counted", default=None
)


def remember_count(count: Callable[..., None], *args: object) -> None:
    """Remember what a meter has just counted, if the answer may be given again."""
    found = counted.get()
    if found is not None:
        found.append(partial(count, *args))


@attrs.frozen
class Exchange:
    """One request and how it was answered.

    :ivar handler: which resource: ``base``, ``blob``, ``manifest``, ``tags``, …
    :ivar seconds: from the last byte of the head to the last of the answer.
    :ivar status: 499 if the client left before the answer was whole.
    :ivar sent_bytes: of the body; to a client that left, what the kernel took of it.
    :ivar aborted: the connection ended before the answer did.
    :ivar wait_seconds: until the head of the answer.
    """

    request_id: str
    handler: str
    peer: str
    user: str
    method: str
    uri: str
    protocol: str
    status: int
    sent_bytes: int
    seconds: float
    referer: str
    user_agent: str
    cache_status: str
    aborted: bool
    wait_seconds: float = 0.0


class IExchangeObserver(Interface):
    """Is told of every request."""

    def ended(exchange: Exchange) -> None:
        """A request has been answered, or its connection was lost."""
