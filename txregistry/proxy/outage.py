"""Tell an outage of the upstream from an answer (pure)."""

from __future__ import annotations

from txregistry.spec.errors import RegistryError, UpstreamFailed, UpstreamUnavailable


def is_outage(error: RegistryError) -> bool:
    """Tell whether what is cached may be served in place of this error.

    The upstream gone, over its limits or failing is an outage; 401, 403 and 404 are
    answers and are obeyed.
    """
    unreachable = isinstance(error, UpstreamFailed | UpstreamUnavailable)
    return unreachable or error.status == 429
