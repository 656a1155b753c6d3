"""Distinguish an outage of the upstream from an answer (pure)."""

from __future__ import annotations

from collections.abc import Mapping

from txregistry.spec.errors import (
    RegistryError,
    UpstreamFailed,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from txregistry.spec.onerror import ErrorPolicy

#: What counts as an outage, whatever ``proxy.onerror`` says.
_OUTAGES = ErrorPolicy()


def is_answer(error: RegistryError) -> bool:
    """Return whether this error is an answer of a reachable upstream.

    Then another request may succeed.
    """
    facts = error.detail if isinstance(error.detail, Mapping) else {}
    if isinstance(error, UpstreamUnavailable):
        return "path" in facts  # only this path is paused, after answers of 5xx
    if isinstance(error, UpstreamTimeout):
        return False
    if isinstance(error, UpstreamFailed):
        return "status" in facts or str(facts.get("reason", "")).startswith("sent")
    return error.status in (401, 403, 404, 429)


def is_outage(error: RegistryError) -> bool:
    """Return whether the upstream is unreachable, over its limits or failing.

    Then content that another repository has fetched may be linked without asking.
    401, 403 and 404 are answers about this repository, and are obeyed there even if
    ``proxy.onerror`` has the repository's own content served in place of them.
    """
    return _OUTAGES.serves_stale(error)
