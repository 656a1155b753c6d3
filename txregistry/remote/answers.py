"""Map an upstream's response to an error for the client (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

from txregistry.spec.errors import (
    Denied,
    RegistryError,
    TooManyRequests,
    Unauthorized,
    UpstreamFailed,
)


def error_of(status: int, upstream: str, retry_after: float | None) -> RegistryError:
    """Return the error for an unsuccessful status.

    The upstream's own message is not passed on, as it may contain confidential text.

    :param upstream: the upstream's host, for the detail.
    :param retry_after: seconds, for 429.
    """
    detail: Mapping[str, object] = {"upstream": upstream, "status": status}
    if status == 401:
        return Unauthorized(detail)
    if status == 403:
        return Denied(detail)
    if status == 429:
        return TooManyRequests(detail, retry_after)
    return UpstreamFailed(detail)


#: Upper bound of a ``Retry-After`` in seconds, as it may be passed on to clients.
MAX_RETRY_AFTER = 3600.0


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Parse ``Retry-After``: seconds or a date (RFC 9110, 10.2.3).

    :param now: the time in seconds since the epoch, by the sender's clock.
    :return: seconds from now, from 0 to :data:`MAX_RETRY_AFTER`; ``None`` if absent or
        malformed.
    """
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(MAX_RETRY_AFTER, float(text.lstrip("0")[:9] or 0))
    date = parse_date(text)
    return None if date is None else min(MAX_RETRY_AFTER, max(0.0, date - now))


def parse_date(value: str | None) -> float | None:
    """Parse an HTTP date (RFC 9110, 5.6.7) into seconds since the epoch.

    The asctime form has no time zone; every form is in UTC.

    :return: ``None`` if absent or malformed.
    """
    try:
        date = parsedate_to_datetime(value or "")
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
