"""Tell an outage of the upstream from an answer (pure)."""

from __future__ import annotations

from collections.abc import Mapping

from txregistry.spec.errors import (
    RegistryError,
    UpstreamFailed,
    UpstreamTimeout,
    UpstreamUnavailable,
)


def is_answer(error: RegistryError) -> bool:
    """Tell whether an upstream that can be reached has answered with this error.

    Then another question may be answered better.
    """
    facts = error.detail if isinstance(error.detail, Mapping) else {}
    if isinstance(error, UpstreamUnavailable):
        return "path" in facts  # this one path is left alone, for what it answered
    if isinstance(error, UpstreamTimeout):
        return False
    if isinstance(error, UpstreamFailed):
        return "status" in facts or str(facts.get("reason", "")).startswith("sent")
    return error.status in (401, 403, 404, 429)


def is_outage(error: RegistryError) -> bool:
    """Tell whether what is cached may be served in place of this error.

    The upstream gone, over its limits or failing is an outage; 401, 403 and 404 are
    answers and are obeyed.
    """
    unreachable = isinstance(error, UpstreamFailed | UpstreamUnavailable)
    return unreachable or error.status == 429
