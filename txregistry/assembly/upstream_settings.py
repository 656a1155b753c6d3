"""What the settings of one upstream mean for its cache (pure)."""

from __future__ import annotations

import hashlib

import attrs

from txregistry.config.proxy import Upstream
from txregistry.spec.freshness import TagPolicy
from txregistry.spec.onerror import ErrorPolicy
from txregistry.spec.ratelimit import RatePolicy, parse_percent


def tag_policy(proxy: Upstream) -> TagPolicy:
    """Give how long answers about tags are fresh, and may be stale."""
    behind = proxy.revalidate == "behind"
    return TagPolicy(
        proxy.tagttl,
        proxy.maxstale,
        ErrorPolicy.of(proxy.onerror),
        proxy.stalewhile if behind else None,
    )


def rate_policy(proxy: Upstream) -> RatePolicy:
    """Give what is left of a rate limit for what has to be asked."""
    return RatePolicy(parse_percent(proxy.ratelimit.reserve))


def uses_credentials(proxy: Upstream) -> bool:
    """Tell whether it is logged in to."""
    return bool(proxy.username or proxy.exec.command)


def asked_by(proxy: Upstream) -> tuple[object, ...]:
    """Return the settings that the agents use."""
    found = attrs.asdict(proxy, recurse=False)
    return tuple(value for name, value in found.items() if name not in _NOT_ASKED_BY)


#: Settings that the agents do not use.
_NOT_ASKED_BY = frozenset(
    (
        "ttl",
        "tagttl",
        "maxstale",
        "revalidate",
        "stalewhile",
        "onerror",
        "ratelimit",
        "recheck",
        "stalltimeout",
        "maxfills",
        "maxrate",
        "hosts",
        "allow",
        "deny",
        "cachewritetimeout",
    )
)


def mark_of(proxy: Upstream) -> str:
    """Give a short text for an upstream and its user, the same at each process."""
    whose = repr((proxy.remoteurl, proxy.username, proxy.exec.command))
    return hashlib.sha256(whose.encode("utf-8")).hexdigest()[:16]


def identity_of(proxy: Upstream) -> tuple[object, ...]:
    """Give what makes it another upstream, or user, if it changes."""
    return proxy.remoteurl, proxy.username, proxy.password, proxy.exec
