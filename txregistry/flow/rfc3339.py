"""Times as uploads have them on disk and in URLs: ``2006-01-02T15:04:05Z``."""

from __future__ import annotations

from datetime import datetime
from time import gmtime, strftime

_FORM = "%Y-%m-%dT%H:%M:%SZ"


def write_time(seconds: float) -> str:
    """Write seconds since the epoch; parts of a second are dropped."""
    return strftime(_FORM, gmtime(seconds))


def read_time(content: bytes) -> float:
    """Read seconds since the epoch.

    :raise ValueError: it is no time in this form.
    """
    found = datetime.fromisoformat(content.decode("ascii"))
    if found.tzinfo is None:
        raise ValueError("a time without a zone")
    return found.timestamp()
