"""Times as registries write them (RFC 3339): ``2006-01-02T15:04:05Z``."""

from __future__ import annotations

import re
from datetime import UTC, datetime

#: What is finer than a microsecond, which Go writes and Python does not read.
_FINER = re.compile(r"(\.[0-9]{6})[0-9]+")


def write_time(seconds: float, timespec: str = "seconds") -> str:
    """Write seconds since the epoch.

    :param timespec: how much of a second: ``seconds`` for none, ``milliseconds``,
        ``microseconds``, or ``auto`` for what there is.
    """
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec=timespec).replace("+00:00", "Z")


def read_time(text: str) -> float:
    """Read seconds since the epoch.

    :raise ValueError: it is no time in this form.
    """
    found = datetime.fromisoformat(_FINER.sub(r"\1", text))
    if found.tzinfo is None:
        raise ValueError("a time without a zone")
    return found.timestamp()
