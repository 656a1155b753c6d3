"""Times as uploads have them on disk and in URLs: ``2006-01-02T15:04:05Z``."""

from __future__ import annotations

from calendar import timegm
from time import gmtime, strftime, strptime

_FORM = "%Y-%m-%dT%H:%M:%SZ"


def write_time(seconds: float) -> str:
    """Write seconds since the epoch; parts of a second are dropped."""
    return strftime(_FORM, gmtime(seconds))


def read_time(content: bytes) -> float:
    """Read seconds since the epoch.

    :raise ValueError: it is no time in this form.
    """
    return float(timegm(strptime(content.decode("ascii"), _FORM)))
