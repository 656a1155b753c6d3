"""Numbers, sizes and times as people read them (pure)."""

from __future__ import annotations

from datetime import UTC, datetime

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB")
_SPANS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
_PLURALS = {"other repository": "other repositories"}


def count_of(number: int, what: str) -> str:
    """Write a number of things, such as ``1 tag`` or ``1,200 tags``."""
    plural = _PLURALS.get(what, f"{what}s")
    return f"{number:,} {what if number == 1 else plural}"


def size_of(size: float) -> str:
    """Write a number of bytes in units of a thousand, such as ``1.5 MB``."""
    for unit in _UNITS:
        if abs(size) < 999.5 or unit == _UNITS[-1]:
            break
        size /= 1000
    digits = 0 if unit == "B" or size >= 99.95 else 1
    return f"{size:,.{digits}f} {unit}"


def span_of(seconds: float) -> str:
    """Write how long something takes, in its largest unit."""
    whole = max(0, round(seconds))
    for length, unit in _SPANS:
        if whole >= length:
            return count_of(round(whole / length), unit)
    return "0 seconds"


def ago(at: float | None, now: float) -> str:
    """Write how long ago something was."""
    return "never" if at is None else f"{span_of(now - at)} ago"


def until(at: float | None, now: float) -> str:
    """Write in how long something will be."""
    if at is None:
        return "never"
    return f"in {span_of(at - now)}" if at > now else "now"


def moment(at: float) -> str:
    """Write a time of day, in UTC (RFC 3339)."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def scaled(value: float) -> str:
    """Write a number in three digits, with a letter for thousands, millions and so on.

    As scripts write them beside their plots.
    """
    for letter in ("", "k", "M", "G", "T"):
        if abs(value) < 999.5:
            return f"{value:.3g}{letter}"
        value /= 1000
    return f"{value:.3g}P"


def share(part: float, whole: float) -> str:
    """Write a part as percent; a dash where there is no whole."""
    return f"{100 * part / whole:.0f} %" if whole else "-"


def short(digest: str) -> str:
    """Write a digest so that it can be told from others."""
    algorithm, _, text = digest.partition(":")
    return f"{algorithm}:{text[:12]}" if text else digest
