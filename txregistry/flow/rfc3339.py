"""Timestamps in RFC 3339 form, in UTC: ``2006-01-02T15:04:05Z``."""

from __future__ import annotations

import re
from datetime import UTC, datetime

#: A fraction with more than six digits, which Go writes and Python rejects.
_FINER = re.compile(r"(\.[0-9]{6})[0-9]+")


def write_time(seconds: float, timespec: str = "seconds") -> str:
    """Format seconds since the epoch.

    :param timespec: precision, as for :meth:`datetime.datetime.isoformat`.
    """
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec=timespec).replace("+00:00", "Z")


def read_time(text: str) -> float:
    """Parse a timestamp into seconds since the epoch.

    :raise ValueError: it is malformed or has no time zone.
    """
    found = datetime.fromisoformat(_FINER.sub(r"\1", text))
    if found.tzinfo is None:
        raise ValueError("a time without a time zone")
    return found.timestamp()
