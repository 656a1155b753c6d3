"""Distinguish an outage of the upstream from an answer (pure)."""

from __future__ import annotations

from collections.abc import Mapping

from txregistry.spec.errors import (
    RegistryError,
    UpstreamFailed,
    UpstreamTimeout,
    UpstreamUnavailable,
)


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
    """Return whether what is cached may be served in place of this error.

    An upstream that is unreachable, over its limits or failing is an outage; 401, 403
    and 404 are answers and are obeyed.
    """
    unreachable = isinstance(error, UpstreamFailed | UpstreamUnavailable)
    return unreachable or error.status == 429
