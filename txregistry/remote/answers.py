"""What an upstream's answer means to our client (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from txregistry.spec.errors import (
    Denied,
    RegistryError,
    TooManyRequests,
    Unauthorized,
    UpstreamFailed,
)


def error_of(
    status: int, upstream: str, not_found: RegistryError, retry_after: float | None
) -> RegistryError:
    """Give the error that an unsuccessful status stands for.

    The upstream's own text is not passed on: it may hold what is not for our clients.

    :param upstream: its host, named in the detail.
    :param not_found: what 404 stands for in this place.
    """
    facts: Mapping[str, object] = {"upstream": upstream, "status": status}
    if status in (404, 410):
        return not_found
    if status == 401:
        return Unauthorized(facts)
    if status == 403:
        return Denied(facts)
    if status == 429:
        return TooManyRequests(facts, retry_after)
    return UpstreamFailed(facts)


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Read ``Retry-After``: seconds or a date (RFC 9110, 10.2.3).

    :return: seconds from now, never negative; ``None`` if absent or malformed.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, TypeError, OverflowError):
        return None
