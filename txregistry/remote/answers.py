"""What an upstream's answer means to our client (pure)."""

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
    """Give the error that an unsuccessful status stands for.

    The upstream's own text is not passed on: it may hold what is not for our clients.

    :param upstream: its host, named in the detail.
    """
    detail: Mapping[str, object] = {"upstream": upstream, "status": status}
    if status == 401:
        return Unauthorized(detail)
    if status == 403:
        return Denied(detail)
    if status == 429:
        return TooManyRequests(detail, retry_after)
    return UpstreamFailed(detail)


#: Longest wait that is believed, in seconds: it may be passed on to clients.
MAX_RETRY_AFTER = 3600.0


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Read ``Retry-After``: seconds or a date (RFC 9110, 10.2.3).

    :param now: seconds since the epoch, by the clock of whoever wrote the date.
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
    """Read a date (RFC 9110, 5.6.7) as seconds since the epoch.

    The oldest of its forms names no zone: all of them are in UTC.
    """
    try:
        date = parsedate_to_datetime(value or "")
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
